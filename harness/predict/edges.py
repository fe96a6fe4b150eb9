"""Whether an event of a situation lies so close to an edge that the exact instant may be a step off.

An instant is measured to some tenths of a millisecond. Where moving one by half a millisecond moves the prediction by
more than that, to another bucket of the timer wheel or to another end, the prediction is ambiguous. Units: seconds.
"""

from collections.abc import Callable

import msgspec

from harness.predict.situation import Prediction, Situation
from harness.predict.wheel import SURENESS_S

_EVENTS = ("armed_at", "heard_at", "unacked_at", "window_closed_at", "read_at", "mapping_expires_at")


def on_an_edge(s: Situation, decided: Prediction, decide: Callable[[Situation], Prediction]) -> bool:
    """Return whether ``decide`` comes to something else when an instant of ``s`` is a little earlier or later."""
    for changed in _neighbours(s):
        other = decide(changed)
        if (other.verdict, other.by) != (decided.verdict, decided.by) or other.exact_s is None:
            return True
        moved = abs(other.exact_s + changed.fault_at - (decided.exact_s or 0.0) - s.fault_at)
        if moved > SURENESS_S + 2 / s.kernel.hz:
            return True
    return False


def _neighbours(s: Situation) -> list[Situation]:
    found = []
    for by in (-SURENESS_S, SURENESS_S):
        for name in _EVENTS:
            at = getattr(s, name)
            if at is not None:
                found.append(msgspec.structs.replace(s, **{name: at + by}))
        if s.effect.heals_after_s is not None:
            later = msgspec.structs.replace(s.effect, heals_after_s=max(0.0, s.effect.heals_after_s + by))
            found.append(msgspec.structs.replace(s, effect=later))
        if s.traffic == "connect" or (s.armed_at is None and s.unacked_at is None):
            found.append(msgspec.structs.replace(s, fault_at=s.fault_at + by))
    return found
