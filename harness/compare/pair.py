"""One cell in both runs: its trials that count, and what they say together."""

from functools import cached_property
from statistics import median

from harness.compare.change import Change, Effect, Kind, Side, side_of
from harness.compare.noise import STEADY
from harness.compare.reading import Reading, reading_of
from harness.verdict.record import Record


class Pair:
    """``before`` and ``after``: the readings of the earlier and the later run, at least one each."""

    def __init__(self, cell: str, before: list[Record], after: list[Record]) -> None:
        self.cell = cell
        self.before = [reading_of(record) for record in before]
        self.after = [reading_of(record) for record in after]
        self.settings = (before[0].settings, after[0].settings)

    @cached_property
    def by_chance(self) -> bool:
        return any(each.by_chance for each in (*self.before, *self.after))

    @cached_property
    def errors(self) -> tuple[list[float], list[float]]:
        """Measured minus exactly predicted, of both; both empty where the later run has none.

        Where only the earlier run has none (its one trial was too close to call), it is taken to have been on time.
        """
        before, after = (_errors(side) for side in (self.before, self.after))
        if not before and all(each.agrees and each.at_s is not None for each in self.before):
            before = [0.0]
        return (before, after) if before and after and not self.by_chance else ([], [])

    @property
    def steady(self) -> bool:
        """Whether a stall of the machine moves nothing, in either run: it is known, or hits one trial of several."""
        known = all(each.lateness_known for each in (*self.before, *self.after))
        return known or min(len(self.before), len(self.after)) >= STEADY

    @property
    def shift_s(self) -> float:
        """How far the median error moved; 0 where there is none."""
        before, after = self.errors
        return median(after) - median(before) if before else 0.0

    @cached_property
    def sides(self) -> tuple[Side, Side]:
        return side_of(self.before), side_of(self.after)

    @property
    def moved_s(self) -> float | None:
        """How far the median time moved, whatever the reason."""
        before, after = (side.median_s for side in self.sides)
        return None if before is None or after is None else after - before

    @property
    def predicted_s(self) -> float | None:
        """How far the middle of the predicted interval moved."""
        before, after = (
            [each.centre_s for each in side if each.centre_s is not None] for side in (self.before, self.after)
        )
        return median(after) - median(before) if before and after else None

    def change(
        self, kind: Kind, effect: Effect, why: str, shift_s: float | None = None, bound_s: float | None = None
    ) -> Change:
        before, after = self.sides
        return Change(
            cell=self.cell,
            kind=kind,
            effect=effect,
            why=why,
            before=before,
            after=after,
            shift_s=shift_s,
            bound_s=bound_s,
        )


def _errors(readings: list[Reading]) -> list[float]:
    return [each.error_s for each in readings if each.error_s is not None]
