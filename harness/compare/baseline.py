"""Which night is the last good one: ``night.json`` in a run's folder says what became of it as a night.

Good is a night in which everything was measured and nothing got worse. The first of its class has nothing to be worse
than: it is good if nine cells in ten are proved and as predicted. What is not is known from then on, and what is not
believed heals, because a night that is better is a good one. A night that was cut short, or is not good, is never what
a later one is compared with.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from harness.compare.change import Comparison
from harness.errors import Unavailable
from harness.store.cells import Cell
from harness.store.find import runs

_NIGHT = "night.json"
# Of the cells of a first night, at most so many may be not proved or not as predicted.
_ODD = 0.1


class Night(msgspec.Struct, frozen=True, kw_only=True):
    """``compared_with``: the name of the run; None for the first of its class. ``missing``: trials without a record.
    ``unmeasured``: cells in which every attempt of every trial came too late to count.
    """

    sweep: str
    machine_class: dict[str, Any]
    exit_code: int
    good: bool
    compared_with: str | None = None
    regressions: int = 0
    missing: int = 0
    unmeasured: int = 0


def is_good(cells: Sequence[Cell], comparison: Comparison | None) -> bool:
    """Whether a night with these cells is one to compare with. ``comparison``: None for the first of its class."""
    if not all(cell.trials for cell in cells):
        return False
    if comparison is not None:
        return not comparison.regressions
    return sum(not (cell.agrees and cell.proved) for cell in cells) <= _ODD * len(cells)


def mark(folder: Path, night: Night) -> None:
    """Say in the run's folder what became of it. Raises Unavailable."""
    text = msgspec.json.format(msgspec.json.encode(night), indent=2)
    try:
        unfinished = folder / f".{_NIGHT}"
        unfinished.write_bytes(text + b"\n")
        unfinished.replace(folder / _NIGHT)
    except OSError as error:
        raise Unavailable(f"{folder} cannot be written ({error.strerror})") from None


def night_of(folder: Path) -> Night | None:
    """Return what became of a run as a night; None where it was none, or its end is not known."""
    try:
        return msgspec.json.decode((folder / _NIGHT).read_bytes(), type=Night)
    except (OSError, msgspec.MsgspecError):
        return None


def last_good(results: Path, sweep: str, machine_class: dict[str, Any], but: Path) -> Path | None:
    """Return the newest good night of this sweep and class under ``results``, other than the run in ``but``."""
    for folder in reversed(runs(results)):
        night = night_of(folder) if folder.resolve() != but.resolve() else None
        if night and night.good and night.sweep == sweep and night.machine_class == machine_class:
            return folder
    return None
