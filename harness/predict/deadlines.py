"""Deadlines that the survivor's own program sets: on a read, and on a write.

Facts: poll(2), epoll_wait(2): the wait ends up to a timer slack late (fs/select.c, select_estimate_accuracy: at most
0.1 %); socket(7) SO_RCVTIMEO: a timer of the wheel, rounded up to jiffies (net/core/sock.c, sock_set_timeout);
measured. A deadline knows nothing of the peer: it fires on a healthy connection that has nothing to say.
Units: seconds.
"""

from harness.predict.finding import Finding
from harness.predict.path import path_of
from harness.predict.situation import Situation
from harness.predict.wheel import Wheel

_SLACK = 0.001  # of the wait: 0.1 %
_ROUNDING_S = 0.001  # epoll and poll count milliseconds


def read_deadline(s: Situation, rough: Wheel, fine: Wheel | None) -> Finding | None:
    """Return when the read deadline fires, None if it does not."""
    if not s.settings.read_deadline_s or s.read_at is None or s.traffic == "connect":
        return None
    begins, wait = s.read_at, s.settings.read_deadline_s
    fires, lingers = _silent_until(s, rough, begins + wait)
    if not fires:
        return None
    sure = fires == "surely"
    if s.settings.deadline_by == "rcvtimeo":
        whole, rest = divmod(round(wait * 1_000_000), 1_000_000)
        unit = 1_000_000 // rough.hz
        ticks = whole * rough.hz + -(-rest // unit)
        span = rough.arm(rough.at(begins), ticks, fired=False)
        exact = None if fine is None else fine.seconds(fine.arm(fine.at(begins), ticks, fired=False).lo)
        low, high = rough.seconds(span.lo), rough.seconds(span.hi)
    else:
        exact = low = begins + wait
        high = low + wait * _SLACK + _ROUNDING_S
    if lingers:
        exact, high = None, high + lingers
    return Finding("read-deadline", "deadline", low, high if sure else None, exact, sure)


def _silent_until(s: Situation, wheel: Wheel, due: float) -> tuple[str, float]:
    """Whether nothing arrives before ``due`` ("surely", "perhaps", "" for no), and how long data may still trickle."""
    talks = s.effect.peer == "serves" and (s.traffic == "listen" or _pongs(s))
    if not talks:
        return "surely", 0.0
    small = path_of(s, wheel)
    effect, heals = s.effect, s.effect.heals_after_s
    whole = small.during == "ack"
    if whole:
        return "", 0.0
    if small.during == "chance":
        return "perhaps", 0.0
    # What the peer says after the outage comes when its retransmission timer next runs: an outage later at most.
    if heals is not None and due > s.fault_at + heals:
        late = s.fault_at + 2 * heals + 2 * s.rto_s + 0.5
        return ("" if due > late and effect.peer == "serves" else "perhaps"), 0.0
    if effect.to_survivor == "pass" and s.traffic == "listen":
        return "surely", 0.5 + 2 * s.rto_s
    return "surely", 0.0


def _pongs(s: Situation) -> bool:
    beat = s.settings.heartbeat_s
    return bool(beat) and s.traffic != "blocked" and (beat or 0) < (s.settings.read_deadline_s or 0)


def write_deadline(s: Situation, rough: Wheel, ends: tuple[float, float] | None) -> Finding | None:
    """Return when the write deadline fires. ``ends``: when data flows again, if it does."""
    wait = s.settings.write_deadline_s
    if not wait or s.traffic not in ("blocked", "stream"):
        return None
    full = path_of(s, rough, full=True)
    flows = s.traffic == "stream" and s.effect.peer in ("serves", "full") and full.during == "ack"
    if flows and s.write_blocked_at is None:
        return None
    known = s.write_blocked_at is not None
    begins = s.write_blocked_at if s.write_blocked_at is not None else s.fault_at
    due = begins + wait
    high = due + wait * _SLACK + _ROUNDING_S
    sure = full.during != "chance"
    if ends is not None and s.traffic == "stream":
        if known and ends[1] < due:
            return None
        sure = known and due <= ends[0]
    return Finding("write-deadline", "deadline", due, high if known and sure else None, due if known else None, sure)
