"""Whether an event of a situation lies so close to an edge that the exact instant may be a step off.

The router stamps a packet 2 to 35 microseconds before the survivor arms its timer for it (measured: nine of ten), and
seldom a tenth of a millisecond before. Where moving an instant by so little moves the prediction by more than a tick or
two, to another bucket of the timer wheel or to another end, the prediction is ambiguous. Units: seconds.
"""

from collections.abc import Callable

import msgspec

from harness.predict.path import NEVER_OUT
from harness.predict.situation import Prediction, Situation

_EARLIER_S, _LATER_S = 0.00005, 0.00015
_EVENTS = ("armed_at", "heard_at", "unacked_at", "window_closed_at", "read_at", "mapping_expires_at")


def on_an_edge(s: Situation, decided: Prediction, decide: Callable[[Situation], Prediction]) -> bool:
    """Return whether ``decide`` comes to something else when an instant of ``s`` is a little earlier or later."""
    for changed in _neighbours(s):
        other = decide(changed)
        if (other.verdict, other.by) != (decided.verdict, decided.by) or other.exact_s is None:
            return True
        moved = abs(other.exact_s + changed.fault_at - (decided.exact_s or 0.0) - s.fault_at)
        if moved > _LATER_S + 2 / s.kernel.hz:
            return True
    return False


def _neighbours(s: Situation) -> list[Situation]:
    found = []
    for by in (-_EARLIER_S, _LATER_S):
        for name in _EVENTS:
            at = getattr(s, name)
            if at is not None:
                found.append(msgspec.structs.replace(s, **{name: at + by}))
        if s.effect.heals_after_s is not None:
            later = msgspec.structs.replace(s.effect, heals_after_s=max(0.0, s.effect.heals_after_s + by))
            found.append(msgspec.structs.replace(s, effect=later))
        if s.traffic == "connect" or (s.armed_at is None and s.unacked_at is None):
            found.append(msgspec.structs.replace(s, fault_at=s.fault_at + by))
    if s.effect.place in NEVER_OUT and s.unacked_at is not None:
        # The first attempt to send may be made a tick late, and no packet tells.
        found.append(msgspec.structs.replace(s, unacked_at=s.unacked_at + 1 / s.kernel.hz))
    return found
