"""Which detector notices first: the kernel's timers, the peer's own word, the survivor's deadlines and heartbeats.

All of them run side by side on one socket; the earliest wins. Instants are CLOCK_MONOTONIC seconds.
"""

import msgspec

from harness.predict.deadlines import read_deadline, write_deadline
from harness.predict.finding import Finding
from harness.predict.heartbeat import heartbeat
from harness.predict.instants import filled
from harness.predict.kernel import Event, Story, story, unreachable_next_hop
from harness.predict.mapping import beats_hold
from harness.predict.path import NEVER_OUT
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
        sent = frozenset(rough_wheel.tick(at) for at in s.sent_at)
        fine_wheel = Wheel(s.kernel.hz, s.kernel.jiffy_offset, sent)
        fine = story(s, fine_wheel)
        if not (fine.determined and len(fine.events) <= 1):
            fine = None
    speaks = peer_speaks(s)
    findings = _kernel(s, rough_wheel, rough, fine)
    if speaks is not None and speaks.sign == "EOF" and s.effect.to_survivor == "pass":
        # What is written to a peer that has closed is answered with RST, which comes after the FIN.
        findings = [found for found in findings if found.sign != "ECONNRESET"]
    recovery = _recovery(s, rough_wheel, rough, fine)
    ends = None if recovery is None else recovery[:2]
    others = [
        speaks,
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
    lo, hi = wheel.seconds(event.when.lo), wheel.seconds(event.when.hi + 1)
    if same is not None:
        # The last timer, too, may run a tick late, also where those before it were seen to do so.
        hi = max(hi, wheel.seconds(same.when.lo + 2))
    if s.traffic == "connect":
        lo = max(lo, s.fault_at)
    exact = None if same is None else wheel.seconds(same.when.lo)
    if event.at_s is not None:
        lo, hi, exact = event.at_s, event.at_s + _PROMPT_S, None if exact is None else event.at_s
    if event.fate == "reset":
        # A short smoothed round trip says more about the last delayed acknowledgement than about the path.
        trip = s.trip_s if s.trip_s and s.trip_s > _SHORT_TRIP_S else 0.0
        hi += max(s.srtt_s, trip)
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
    if event.timer == "retries" and unreachable_next_hop(s, event.when.hi / s.kernel.hz):
        return "icmp", "EHOSTUNREACH"
    # Without a route IPv6 notes the error, IPv4 does not (net/ipv6/inet6_connection_sock.c, inet6_csk_xmit).
    sign = "ENETUNREACH" if s.effect.place == "own-link" and s.ipv == 6 else "ETIMEDOUT"
    return "user-timeout" if _timed(s, event) else event.timer, sign


def other_sign(s: Situation, first: Finding) -> str | None:
    """Return the sign that may come instead of the one of ``first``, if chance decides between two.

    Without a route IPv4 does note the error when a segment that was sent is to be sent again (net/ipv4/af_inet.c,
    inet_sk_rebuild_header). A peer that is killed before it has read all that came says RST and not FIN.
    """
    if first.by == "peer" and first.sign == "EOF":
        return "ECONNRESET" if s.traffic == "stream" and s.effect.to_survivor == "pass" else None
    in_flight = s.traffic == "stream" and s.effect.place == "own-link" and s.ipv == 4 and first.timer == "retries"
    return "ENETUNREACH" if in_flight else None


def _timed(s: Situation, event: Event) -> bool:
    """Whether the user timeout decides; attempts to send are counted beside it."""
    timeout = s.settings.user_timeout_ms / 1000
    counted = event.timer == "retries" and s.effect.place in NEVER_OUT
    return timeout > 0 and not (counted and event.when.hi / s.kernel.hz - (s.unacked_at or 0.0) < timeout)


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
    if s.traffic == "stream" and whole <= wheel.seconds(rough.trace.get("retransmission 1", (0, 0))[1]):
        # Until a timeout closes the congestion window new segments go out, and the first that gets through has the
        # lost ones sent again (RFC 8985).
        lo, fine = min(lo, whole), None
    hi = max(wheel.seconds(event.when.hi) for event in back) + s.srtt_s
    if fine is None:
        return lo, hi, None
    known = [wheel.seconds(event.when.lo) for event in fine.events if event.fate == "recovered"]
    return lo, hi, known[0] if known else None


def holds_mapping(asked: Situation) -> bool:
    """Whether what the survivor sends by itself renews the NAT's mapping for ever."""
    s = filled(asked)
    if s.mapping_expires_at is None or s.effect.peer != "serves":
        return False
    told = story(s, Wheel(s.kernel.hz, s.kernel.jiffy_offset))
    return not told.events and (s.settings.keepalive or beats_hold(s))
