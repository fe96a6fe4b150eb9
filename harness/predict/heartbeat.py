"""Heartbeats: pings of the survivor's program that the peer's program answers.

Ping k of those without an answer is sent at ping_at + (k - 1) x period; when the last that may be missed has waited a
full period, the program calls the peer dead. A hung peer is found, because its program does not answer although its
kernel acknowledges. Units: seconds.
"""

from harness.predict.finding import Finding
from harness.predict.path import path_of
from harness.predict.situation import Situation
from harness.predict.wheel import Wheel

_SLACK = 0.001
_ROUNDING_S = 0.001


def heartbeat(s: Situation, wheel: Wheel, ends: tuple[float, float] | None, *, known: bool) -> Finding | None:
    """Return when the heartbeat calls the peer dead. ``ends``: when data flows again; ``known``: ping_at was given."""
    period = s.settings.heartbeat_s
    if not period or s.ping_at is None or s.traffic == "connect":
        return None
    path = path_of(s, wheel)
    stuck = s.traffic == "blocked"
    if path.during == "ack" and s.effect.peer == "serves" and not stuck:
        return None
    wait = s.settings.heartbeat_misses * period
    due = s.ping_at + wait
    low = due if known else due - period
    high = due + wait * _SLACK + _ROUNDING_S
    sure = path.during != "chance"
    heals = s.effect.heals_after_s
    if heals is not None and s.effect.peer in ("serves", "hung") and not stuck:
        # A ping of the outage is answered once its retransmission gets through; the peer's answer then follows.
        back = ends or (s.fault_at + heals, s.fault_at + heals)
        if back[1] + s.srtt_s < low:
            return None
        sure = high < back[0]
    return Finding("heartbeat", "heartbeat", low, high if sure else None, due if known else None, sure)
