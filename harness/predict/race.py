"""Which detector notices first: the kernel's timers, the peer's own word, the survivor's deadlines and heartbeats.

All of them run side by side on one socket; the earliest wins. Instants are CLOCK_MONOTONIC seconds.
"""

import msgspec

from harness.predict.deadlines import read_deadline, write_deadline
from harness.predict.finding import Finding
from harness.predict.heartbeat import heartbeat
from harness.predict.instants import filled
from harness.predict.kernel import Event, Story, story
from harness.predict.peer import peer_speaks
from harness.predict.reject import icmp_error
from harness.predict.situation import Situation
from harness.predict.wheel import Wheel

_SHORT_TRIP_S = 0.01
_PROMPT_S = 0.005


class Race(msgspec.Struct):
    """Every detector that may notice, and the kernel's story behind it (``fine``: for the calibrated jiffy clock).

    ``recovery``: (earliest, latest, exact) at which data flows again after an outage, if it does.
    """

    findings: list[Finding]
    rough: Story
    fine: Story | None
    recovery: tuple[float, float, float | None] | None


def run(asked: Situation) -> Race:
    """Let every detector run in the situation ``asked``."""
    s = filled(asked)
    rough_wheel = Wheel(s.kernel.hz)
    rough = story(s, rough_wheel)
    fine_wheel, fine = None, None
    if s.kernel.jiffy_offset is not None:
        fine_wheel = Wheel(s.kernel.hz, s.kernel.jiffy_offset)
        fine = story(s, fine_wheel)
        if not (fine.determined and len(fine.events) <= 1):
            fine = None
    findings = _kernel(s, rough_wheel, rough, fine)
    recovery = _recovery(s, rough_wheel, rough, fine)
    ends = None if recovery is None else recovery[:2]
    others = [
        peer_speaks(s),
        read_deadline(s, rough_wheel, fine_wheel),
        write_deadline(s, rough_wheel, ends),
        heartbeat(s, rough_wheel, ends, known=asked.ping_at is not None),
    ]
    return Race(findings + [found for found in others if found is not None], rough, fine, recovery)


def _kernel(s: Situation, wheel: Wheel, rough: Story, fine: Story | None) -> list[Finding]:
    if s.effect.peer in ("hung", "full") and s.traffic == "stream" and s.window_closed_at is None:
        return _later_full(s, wheel)
    events = [event for event in rough.events if event.fate in ("died", "reset", "icmp", "endless")]
    alone = _alone(rough, fine)
    if fine is None:
        return [_finding(s, wheel, event, None, alone=alone) for event in events]
    ends = {(event.fate, event.timer): event for event in fine.events}
    return [
        _finding(s, wheel, event, ends[event.fate, event.timer], alone=alone)
        for event in events
        if (event.fate, event.timer) in ends
    ]


def _alone(rough: Story, fine: Story | None) -> bool:
    """Whether every way in which the story may end is a detection."""
    events = rough.events if fine is None else fine.events
    return all(event.fate in ("died", "reset", "icmp") for event in events)


def _finding(s: Situation, wheel: Wheel, event: Event, same: Event | None, *, alone: bool) -> Finding:
    lo, hi = wheel.seconds(event.when.lo), wheel.seconds(event.when.hi)
    exact = None if same is None else wheel.seconds(same.when.lo)
    if event.at_s is not None:
        lo, hi, exact = event.at_s, event.at_s + _PROMPT_S, None if exact is None else event.at_s
    if event.fate == "reset":
        # A short smoothed round trip says more about the last delayed acknowledgement than about the path.
        trip = s.srtt_s if s.srtt_s > _SHORT_TRIP_S else 0.0
        hi += s.srtt_s
        exact = None if exact is None else exact + trip
    by, sign = _names(s, event)
    if event.fate == "endless":
        return Finding(by, sign, lo, None, None, False, event.timer)
    return Finding(by, sign, lo, hi if alone else None, exact, alone, event.timer)


def _names(s: Situation, event: Event) -> tuple[str, str]:
    if event.fate == "reset":
        return "peer", "ECONNREFUSED" if s.traffic == "connect" else "ECONNRESET"
    rejects = s.effect.to_peer == "reject" and event.timer in ("retries", "syn-retries")
    if event.fate == "icmp" or rejects:
        return "icmp", icmp_error(s.effect, s.ipv)
    return "user-timeout" if s.settings.user_timeout_ms else event.timer, "ETIMEDOUT"


def _later_full(s: Situation, wheel: Wheel) -> list[Finding]:
    """A peer that reads no more acknowledges until its buffer is full; when that is depends on how much is written."""
    if not s.settings.user_timeout_ms or s.unacked_at is None:
        return []
    soonest = s.unacked_at + max(s.rto_s, 0.2) + s.settings.user_timeout_ms / 1000
    return [Finding("user-timeout", "ETIMEDOUT", soonest, None, None, True, "zero-window")]


def _recovery(s: Situation, wheel: Wheel, rough: Story, fine: Story | None) -> tuple[float, float, float | None] | None:
    heals = s.effect.heals_after_s
    if heals is None or s.effect.peer not in ("serves", "hung", "full"):
        return None
    whole = s.fault_at + heals
    back = [event for event in rough.events if event.fate == "recovered" and event.timer in ("retries", "syn-retries")]
    if not back:
        return whole, whole, whole
    lo = min(wheel.seconds(event.when.lo) for event in back)
    hi = max(wheel.seconds(event.when.hi) for event in back) + s.srtt_s
    if fine is None:
        return lo, hi, None
    known = [wheel.seconds(event.when.lo) for event in fine.events if event.fate == "recovered"]
    return lo, hi, known[0] if known else None


def holds_mapping(s: Situation) -> bool:
    """Whether the survivor's keepalive renews the NAT's mapping for ever."""
    told = story(filled(s), Wheel(s.kernel.hz, s.kernel.jiffy_offset))
    return s.settings.keepalive and not told.events
