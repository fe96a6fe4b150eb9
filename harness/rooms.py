"""Which trials can share a lab: what belongs to a whole host or router must be the same for all in a room."""

from collections.abc import Hashable, Iterable, Sequence
from typing import TypeVar

from harness.faults import all_faults
from harness.labs.place import Place
from harness.spec.trial import Trial

T = TypeVar("T")


def rooms(trials: Iterable[Trial], place: Place | None = None) -> list[list[Trial]]:
    """Return the trials in groups that can share a lab, each in the order given. ``place`` may keep more apart."""
    found: dict[Hashable, list[Trial]] = {}
    for trial in trials:
        apart = None if place is None else place.apart(trial)
        found.setdefault((apart, trial.asked.retries2, _wide(trial)), []).append(trial)
    return list(found.values())


def _wide(trial: Trial) -> Hashable:
    """What of the trial's fault all trials of its room must share: a NAT, or all of it if it takes a whole host."""
    needs = all_faults()[trial.fault](**trial.options).needs()
    if "nat" in needs:
        return tuple(sorted(trial.options.items()))
    return trial.number if needs & {"places", "power"} else None


def first_the_long(lasts: Sequence[float], items: Sequence[T], each_s: float) -> list[T]:
    """Return ``items`` with those in front whose late beginning would make the whole room last longer.

    ``lasts``: how long each takes; ``each_s``: how long beginning one takes. Beside that their order stays: it is
    shuffled, so that trials that would die at the same instant are not begun together.
    """
    beginning = each_s * len(items)
    longest = max(lasts, default=0.0)
    late = [longest - each < beginning for each in lasts]
    return [i for i, is_long in zip(items, late, strict=True) if is_long] + [
        i for i, is_long in zip(items, late, strict=True) if not is_long
    ]
