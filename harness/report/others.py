"""Records that are not of trials, shown as the command showed them that made them: endings, detectors, the pool."""

from collections.abc import Callable
from typing import Any

import msgspec
from rich.console import Console

from harness.detectors.record import Cell
from harness.endings.record import Ending
from harness.pool.record import PoolRecord
from harness.report import detectors, endings, pool


def show_others(found: list[dict[str, Any]], console: Console) -> None:
    """Print the records, each kind together; those of a shape that this version does not know are counted."""
    strange = list(found)
    for shape, display in _KINDS:
        taken = []
        for fields in list(strange):
            try:
                taken.append(msgspec.convert(fields, shape))
            except msgspec.ValidationError:
                continue
            strange.remove(fields)
        if taken:
            display(taken, console)
    if strange:
        console.print(f"{len(strange)} records of a kind that is not known here; they are in records.jsonl")


def _endings(found: list[Ending], console: Console) -> None:
    for each in found:
        endings.show_ending(each, console, len(found))


_KINDS: tuple[tuple[type[msgspec.Struct], Callable[[Any, Console], None]], ...] = (
    (Ending, _endings),
    (Cell, detectors.show),
    (PoolRecord, pool.show),
)
