"""Whether what the survivor sends by itself holds a NAT's mapping: keepalive probes, heartbeats.

Facts: net/ipv4/tcp_timer.c (tcp_keepalive_timer): after a probe the timer is set for an interval, whether or not the
probe is answered; a timer that then runs too early, because less than an idle has passed, is set again for the rest. So
a first probe may come in time and the next too late. Conntrack counts in jiffies and forgets in the very one in which
the timeout ends (include/net/netfilter/nf_conntrack.h, nf_ct_is_expired), which no timer of the same length can reach.
Units: seconds, ticks where the name says so.
"""

from harness.predict.course import Course
from harness.predict.keepalive import Keepalive
from harness.predict.situation import Situation
from harness.spec.settings import Settings

_LATE = 8 / 7  # a timer of the wheel is late by less than a seventh of its length
_ACKNOWLEDGES_S = 0.05  # an acknowledgment that is delayed, by 40 ms, renews the mapping as well
_TICKS_S = 0.02  # and two ticks, of 10 ms at most


def longest_pause_s(settings: Settings) -> float | None:
    """Return how long the survivor may be silent once it has begun to speak by itself; None: for ever."""
    pauses = [settings.heartbeat_s] if settings.heartbeat_s else []
    if settings.keepalive:
        pauses.append(max(settings.idle_s, settings.interval_s) * _LATE + _TICKS_S)
    return min(pauses, default=None)


def before_expiry_s(settings: Settings, lasts_s: float) -> tuple[float, bool]:
    """Return for how long, at most, the mapping lasts after the opening, and whether it is held for ever.

    ``lasts_s``: after each packet. A mapping that is held is taken to last for as long as it would without that.
    """
    pause = longest_pause_s(settings)
    if pause is not None and pause < lasts_s:
        return lasts_s, True
    first = settings.heartbeat_s or lasts_s
    if settings.keepalive:
        first = min(first, settings.idle_s)
    return lasts_s + (first * _LATE + _TICKS_S if first < lasts_s else 0.0), False


def lasts_ticks(s: Situation, timer: Keepalive) -> int:
    """Return for how many ticks the mapping of the filled-in situation ``s`` lasts after each packet."""
    assert s.mapping_expires_at is not None and s.heard_at is not None
    return timer.wheel.tick(s.mapping_expires_at) - timer.wheel.tick(s.heard_at)


def beats_hold(s: Situation) -> bool:
    """Return whether heartbeats hold the mapping of the filled-in situation ``s``."""
    beat, at, expires = s.settings.heartbeat_s, s.ping_at, s.mapping_expires_at
    if not beat or at is None or expires is None or s.heard_at is None:
        return False
    return at < expires and beat < expires - s.heard_at


def comes_too_late(s: Situation, *, answered: bool) -> bool:
    """Return whether the next probe surely finds the mapping gone: the pause before it is as long as the mapping lasts.

    ``answered``: what was heard last was the answer to a probe. Ticks say less: both begin with the same packet.
    """
    assert s.mapping_expires_at is not None and s.heard_at is not None
    pause = max(s.settings.idle_s, s.settings.interval_s) if answered else s.settings.idle_s
    return pause >= s.mapping_expires_at - s.heard_at - _ACKNOWLEDGES_S


def after_renewal(timer: Keepalive, course: Course, lasts: int) -> Course:
    """Go on with ``course`` after a probe that renewed the mapping, for ``lasts`` ticks."""
    kept = course.ending("kept")
    assert kept is not None
    others = [end for end in course.endings if end.fate != "kept"]
    probe = kept.restarted()
    following = timer.wheel.arm(probe, timer.interval, fired=True)
    later = timer.wheel.period(timer.interval)
    if timer.interval < timer.idle:
        following = timer.sometime(probe)
        later = following.since_hi
    held = max(following.since_hi, later) < lasts
    further = Course([], {}) if held else timer.expired_at(kept.lo + 1).run(following)
    if (held and others) or (not held and following.since_lo < lasts and later < lasts):
        further.end("kept", following)
    for end in others:
        further.end(end.fate, end.when)
    return further
