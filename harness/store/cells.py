"""The numbers of a run, computed once: reports, comparisons and tables all take them from here.

A cell is one combination of settings, traffic, fault and survivor; its trials are its repeats. A trial that was run
again has several records, its attempts: the one that counts is the unflagged one of the highest attempt. A trial all of
whose attempts were flagged is in no number but ``flagged``. Durations are seconds after the fault.
"""

from collections import Counter
from collections.abc import Iterable
from statistics import median
from typing import Any, Protocol, TypeVar

import msgspec

from harness.spec.settings import Settings
from harness.verdict.record import Record


class Attempt(Protocol):
    """What decides which record of a trial counts."""

    @property
    def experiment(self) -> str: ...
    @property
    def trial(self) -> int: ...
    @property
    def cell(self) -> str: ...
    @property
    def attempt(self) -> int: ...
    @property
    def flagged(self) -> str | None: ...


A = TypeVar("A", bound=Attempt)


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """``trials``: how many count; ``flagged``: how many do not, because every attempt came too late.

    ``verdicts``, ``signs``, ``by``: how many trials had each. ``after_s``: every detection time, in the order of
    ``numbers``, the trials that have one; ``watched_s``: of the trials in which nothing was seen, for how long nothing
    was (where that is known). ``exact_s``: the median of the exact predictions; ``earliest_s`` to ``latest_s``: the
    interval that has all of them, None where there is no such instant or no bound. ``errors_s``: measured minus exact,
    trial by trial, where there is an exact one; ``kernel_errors_s``: the same for the kernel's own instant (its RST).
    ``agrees``, ``proved``: all of the trials that count do, or are; ``disagree``, ``unproved``: how many do not.
    """

    cell: str
    experiment: str
    fault: str
    options: dict[str, Any]
    settings: Settings
    traffic: str
    survivor: str
    ipv: int
    trials: int
    flagged: int
    verdicts: dict[str, int]
    signs: dict[str, int]
    by: dict[str, int]
    numbers: list[int]
    after_s: list[float]
    watched_s: list[float]
    median_s: float | None
    min_s: float | None
    max_s: float | None
    predicted: str
    exact_s: float | None
    earliest_s: float | None
    latest_s: float | None
    errors_s: list[float]
    kernel_errors_s: list[float]
    agrees: bool
    disagree: int
    proved: bool
    unproved: int

    @property
    def detected(self) -> int:
        return self.verdicts.get("detected", 0)

    @property
    def missed(self) -> int:
        return self.verdicts.get("missed", 0)

    @property
    def mistaken(self) -> int:
        return self.verdicts.get("mistaken", 0)


def cells(records: Iterable[Record]) -> list[Cell]:
    """Return the cells of a run, in the order in which each first appears."""
    return [_cell(text, members) for text, members in grouped(records).items()]


def grouped(records: Iterable[Record]) -> dict[str, list[Record]]:
    """Return the standing record of every trial, by the text of its cell."""
    found: dict[str, list[Record]] = {}
    for record in standing(records):
        found.setdefault(cell_text(record), []).append(record)
    return found


def standing(records: Iterable[A]) -> list[A]:
    """Return one record per trial: the one that counts, or the last flagged one where none does."""
    found: dict[tuple[str, str, int], A] = {}
    for record in records:
        key = (record.experiment, record.cell, record.trial)
        other = found.get(key)
        if other is None or _rank(record) >= _rank(other):
            found[key] = record
    return list(found.values())


def _rank(record: Attempt) -> tuple[bool, int]:
    return record.flagged is None, record.attempt


def cell_text(record: Record) -> str:
    """Return the text of the record's cell; of a record without one, what can be told from its settings."""
    if record.cell:
        return record.cell
    usual = Settings()
    settings = [
        f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}"
        for name in record.settings.__struct_fields__
        if (value := getattr(record.settings, name)) != getattr(usual, name)
    ]
    options = [f"{name}={value}" for name, value in sorted(record.fault.options.items()) if value is not None]
    rest = [f"traffic={record.traffic}", f"survivor={record.survivor}", f"ipv={record.ipv}"]
    return " ".join([record.experiment, *settings, *options, *rest])


def _cell(text: str, members: list[Record]) -> Cell:
    first = members[0]
    counted = [each for each in members if each.flagged is None]
    timed = [each for each in counted if each.detection.after_s is not None]
    after = [each.detection.after_s for each in timed if each.detection.after_s is not None]
    watched = [each.detection.watched_s for each in counted if each.detection.after_s is None]
    exact = [each.prediction.exact_s for each in counted if each.prediction.exact_s is not None]
    earliest = [each.prediction.earliest_s for each in counted if each.prediction.earliest_s is not None]
    latest = [each.prediction.latest_s for each in counted if each.prediction.earliest_s is not None]
    disagree = sum(not each.agrees for each in counted)
    unproved = sum(not each.proof.holds for each in counted)
    return Cell(
        cell=text,
        experiment=first.experiment,
        fault=first.fault.kind,
        options=first.fault.options,
        settings=first.settings,
        traffic=first.traffic,
        survivor=first.survivor,
        ipv=first.ipv,
        trials=len(counted),
        flagged=len(members) - len(counted),
        verdicts=dict(Counter(each.detection.verdict for each in counted)),
        signs=dict(Counter(each.detection.sign for each in counted)),
        by=dict(Counter(each.detection.by for each in counted)),
        numbers=[each.trial for each in timed],
        after_s=after,
        watched_s=[each for each in watched if each is not None],
        median_s=median(after) if after else None,
        min_s=min(after, default=None),
        max_s=max(after, default=None),
        predicted=first.prediction.verdict,
        exact_s=median(exact) if exact else None,
        earliest_s=min(earliest, default=None),
        latest_s=None if None in latest else max((each for each in latest if each is not None), default=None),
        errors_s=_errors(counted, "after_s"),
        kernel_errors_s=_errors(counted, "kernel_after_s"),
        agrees=bool(counted) and not disagree,
        disagree=disagree,
        proved=bool(counted) and not unproved,
        unproved=unproved,
    )


def _errors(records: list[Record], field: str) -> list[float]:
    """Measured minus predicted, where both are known."""
    return [
        measured - record.prediction.exact_s
        for record in records
        if (measured := getattr(record.detection, field)) is not None and record.prediction.exact_s is not None
    ]
