"""Two runs, cell by cell: records in, a ``Comparison`` out."""

from collections.abc import Iterator
from typing import Any

from harness.compare.chance import by_chance
from harness.compare.change import Change, Comparison
from harness.compare.noise import Noise
from harness.compare.pair import Pair
from harness.compare.times import allowed_s, times
from harness.compare.verdicts import verdicts
from harness.store.cells import grouped
from harness.verdict.record import Record

# The part of a detection time that matters, unless another is given: 5 % must be found, ticks and all.
THRESHOLD = 0.04
_USUAL_HZ = 250


def compare(
    before: list[Record],
    after: list[Record],
    threshold: float = THRESHOLD,
    described: tuple[dict[str, Any], dict[str, Any]] = ({}, {}),
    differences: list[str] | None = None,
) -> Comparison:
    """Return how ``after`` differs from ``before``. ``described``: what each run is, for whoever reads the result."""
    earlier, later = grouped(before), grouped(after)
    counted = {cell: (_counted(earlier[cell]), _counted(later[cell])) for cell in later if cell in earlier}
    pairs = [Pair(cell, *both) for cell, both in counted.items() if all(both)]
    hz = min((record.lab.get("hz") or _USUAL_HZ for record in (*before, *after)), default=_USUAL_HZ)
    noise = Noise(_errors(pairs), [pair.shift_s for pair in pairs if pair.errors[0]], hz)
    changes = [change for pair in pairs for change in (*verdicts(pair, noise), *times(pair, noise, threshold))]
    changes += by_chance([pair for pair in pairs if pair.by_chance], threshold)
    exact = [pair for pair in pairs if pair.errors[0]]
    chance = sum(pair.by_chance for pair in pairs)
    return Comparison(
        before=described[0],
        after=described[1],
        differences=differences or [],
        threshold=threshold,
        bound_s=noise.bound_s(),
        unsteady=sum(not pair.steady for pair in exact),
        cells=len(pairs),
        exact=len(exact),
        interval=len(pairs) - len(exact) - chance,
        chance=chance,
        explained=_explained(exact, {change.cell for change in changes}, noise, threshold),
        changes=sorted(changes, key=_weight),
        added=[cell for cell in later if cell not in earlier],
        gone=[cell for cell in earlier if cell not in later],
        flagged=[cell for cell, records in later.items() if any(record.flagged for record in records)],
        empty=[cell for cell, both in counted.items() if not all(both)],
    )


def _counted(records: list[Record]) -> list[Record]:
    return [record for record in records if record.flagged is None]


def _errors(pairs: list[Pair]) -> Iterator[float]:
    for pair in pairs:
        for errors in pair.errors:
            yield from errors


def _explained(pairs: list[Pair], called: set[str], noise: Noise, threshold: float) -> int:
    """Count the cells whose time moved, and their prediction with it."""
    bound = noise.bound_s()
    return sum(
        pair.cell not in called and abs(pair.moved_s or 0.0) > allowed_s(pair, bound, threshold) for pair in pairs
    )


def _weight(change: Change) -> tuple[int, float]:
    """The worst first."""
    return ("regression", "improvement", "note").index(change.effect), -abs(change.share or 0.0)
