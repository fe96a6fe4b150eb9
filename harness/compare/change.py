"""What a comparison says: one ``Change`` per finding, and the ``Comparison`` that holds them all. Times: seconds."""

from statistics import median
from typing import Any, Literal

import msgspec

from harness.compare.reading import Reading

Kind = Literal[
    "slower",  # later against its exact prediction, or because its settings are others
    "faster",
    "missed",  # these three: a verdict that the earlier run never had in this cell
    "mistaken",
    "unknown",
    "detected",  # these two: the earlier run had one of the former, and this one has not
    "survived",
    "disagrees",  # no longer as predicted
    "agrees",
    "unproved",  # the evidence no longer shows what the fault claims
    "proved",
    "settings",  # what was read back from the socket is not what it was, and the time is
    "sign",  # another sign, at the same time
    "drift",  # surely another time, and by less than what was said to matter
]
Effect = Literal["regression", "improvement", "note"]


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One run's trials of a cell. ``error_s``: the median of measured minus exactly predicted."""

    trials: int
    median_s: float | None
    min_s: float | None
    max_s: float | None
    error_s: float | None


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """``shift_s``: by how much the time moved that nothing explains; ``bound_s``: what an unchanged cell may move."""

    cell: str
    kind: Kind
    effect: Effect
    why: str
    before: Side
    after: Side
    shift_s: float | None = None
    bound_s: float | None = None

    @property
    def share(self) -> float | None:
        """The shift as a part of the earlier time."""
        return self.shift_s / self.before.median_s if self.shift_s is not None and self.before.median_s else None


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """``before`` and ``after``: what each run is (name, machine class). ``cells``: in both, with trials that count.

    ``exact``, ``interval``, ``chance``: how many of them could be judged by an exact prediction, only by its interval,
    and only by tests of chance. ``flagged``: cells with trials that do not count, ``empty``: cells in which none does.
    ``explained``: cells whose times moved, and their predictions with them. ``bound_s``: what is noise in these runs;
    in ``unsteady`` cells it is STALL_S at least.
    """

    before: dict[str, Any]
    after: dict[str, Any]
    differences: list[str]
    threshold: float
    bound_s: float
    unsteady: int
    cells: int
    exact: int
    interval: int
    chance: int
    explained: int
    changes: list[Change]
    added: list[str]
    gone: list[str]
    flagged: list[str]
    empty: list[str]

    @property
    def regressions(self) -> list[Change]:
        return [change for change in self.changes if change.effect == "regression"]

    @property
    def improvements(self) -> list[Change]:
        return [change for change in self.changes if change.effect == "improvement"]

    @property
    def notes(self) -> list[Change]:
        return [change for change in self.changes if change.effect == "note"]


def side_of(readings: list[Reading]) -> Side:
    """Return the numbers of one run's trials."""
    times = [each.at_s for each in readings if each.at_s is not None]
    errors = [each.error_s for each in readings if each.error_s is not None]
    return Side(
        trials=len(readings),
        median_s=median(times) if times else None,
        min_s=min(times, default=None),
        max_s=max(times, default=None),
        error_s=median(errors) if errors else None,
    )
