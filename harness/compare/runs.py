"""Two runs' folders against each other."""

from pathlib import Path
from typing import Any

from harness.compare.change import Comparison
from harness.compare.compare import THRESHOLD, compare
from harness.compare.machine import class_of, described, differences
from harness.errors import Refused
from harness.store.reading import read
from harness.verdict.record import Record


def compare_runs(before: Path, after: Path, threshold: float | None = None) -> Comparison:
    """Return how the run in ``after`` differs from the one in ``before``. Raises Refused where one has no trials."""
    earlier, later = _trials(before), _trials(after)
    machines = described(before), described(after)
    return compare(
        earlier,
        later,
        THRESHOLD if threshold is None else threshold,
        (_run(before, machines[0]), _run(after, machines[1])),
        differences(*machines) if all(machines) else [],
    )


def _trials(folder: Path) -> list[Record]:
    found = read(folder)
    if found.records:
        return found.records
    what = "records of another kind, which cannot be compared" if found.others else "no record"
    raise Refused(f"{folder} holds {what}; compare runs of experiments or sweeps")


def _run(folder: Path, machine: dict[str, Any]) -> dict[str, Any]:
    return {"name": folder.name, "class": class_of(machine)}
