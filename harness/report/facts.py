"""What every report of a run says, gathered once: its cells, its trials, what varies between them, the machine."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from harness.errors import Refused
from harness.spec.options import SETTINGS, TRIAL
from harness.store import reading
from harness.store.cells import Cell, cells, grouped
from harness.store.find import started
from harness.units import format_duration, parse_duration
from harness.verdict.record import Record

# How a cell is spelled where a setting was not given: the kernel's default stands.
UNSET = "-"
FAULT = "fault"
_PLAN = "plan.jsonl"
_NUMBERS = frozenset(option.name for option in SETTINGS) - {"deadline-by"}
_TIMES = frozenset(option.name for option in (*SETTINGS, *TRIAL) if option.field.endswith(("_s", "_ms")))
# What a person names first, and what last; everything else is in the order of a cell's text.
_FIRST = (FAULT, "traffic", *(option.name for option in SETTINGS))
_LAST = ("survivor", "ipv")


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """``trials``: the standing records of each cell. ``words``: each cell's text, taken apart.

    ``started``: when, in UTC. ``varies``: what is not the same in all cells, with its values in order; ``same``: what
    is. ``telling``: what varies and does not follow from the fault, as the survivor of a crash does.
    """

    name: str
    started: datetime
    cells: list[Cell]
    trials: dict[str, list[Record]]
    words: dict[str, dict[str, str]]
    varies: dict[str, list[str]]
    same: dict[str, str]
    telling: list[str]
    machine: dict[str, Any]
    warnings: list[str]

    def label(self, cell: Cell) -> str:
        """Return what tells this cell from the others; its whole text where nothing does."""
        return self.phrase(cell, self.telling) or (cell.cell if len(self.cells) == 1 else "nothing set")

    def phrase(self, cell: Cell, names: Iterable[str]) -> str:
        """Return the cell's values of ``names`` as a person says them, without those that are not set."""
        words = self.words[cell.cell]
        said = ((name, words.get(name, UNSET)) for name in names)
        return ", ".join(spoken(name, value) for name, value in said if value != UNSET)

    def everyone(self) -> list[Record]:
        """Return every trial that counts, cell by cell."""
        return [record for cell in self.cells for record in self.trials[cell.cell] if record.flagged is None]


def read(folder: Path) -> Facts:
    """Return the facts of the run in ``folder``. Raises Refused where there is nothing to report."""
    content = reading.read(folder)
    if not content.records:
        other = ": what it keeps is of another kind" if content.others else ""
        raise Refused(f"{folder} has no record of an experiment, so there is nothing to report{other}")
    try:
        machine = msgspec.json.decode((folder / "machine.json").read_bytes(), type=dict[str, Any])
    except (OSError, msgspec.DecodeError):
        machine = {}
    found = gather(folder.resolve().name, content.records, machine, started(folder))
    return msgspec.structs.replace(found, warnings=[*_lacks(folder, content, found), *found.warnings])


def _lacks(folder: Path, content: reading.Content, found: Facts) -> Iterator[str]:
    """Say what of the run is not in its reports."""
    try:
        planned = sum(1 for line in (folder / _PLAN).read_bytes().split(b"\n") if line.strip())
    except OSError:
        planned = 0
    done = sum(len(trials) for trials in found.trials.values())
    if done < planned:
        yield f"The run is not finished: {done:,} of its {planned:,} trials are here."
    if content.unreadable:
        yield f"Lines of records.jsonl that cannot be read, and are left out: {content.unreadable:,}."


def gather(name: str, found: Iterable[Record], machine: dict[str, Any], began: datetime) -> Facts:
    """Return the facts of the records of a run."""
    found = list(found)
    made = cells(found)
    words = {cell.cell: _words(cell) for cell in made}
    names = sorted(dict.fromkeys(name for each in words.values() for name in each), key=_rank)
    values = {name: {each.get(name, UNSET) for each in words.values()} for name in names}
    varies = {name: sorted(seen, key=in_order) for name, seen in values.items() if len(seen) > 1}
    return Facts(
        name=name,
        started=began,
        cells=made,
        trials=grouped(found),
        words=words,
        varies=varies,
        telling=[name for name in varies if name == FAULT or not _follows(name, varies, words)],
        same={name: next(iter(seen)) for name, seen in values.items() if len(seen) == 1},
        machine=machine,
        warnings=list(dict.fromkeys(text for record in found for text in record.warnings)),
    )


def spoken(name: str, value: str) -> str:
    """Return a value as a person says it: "keepalive 5", "no keepalive", "idle"."""
    if value == UNSET:
        return f"no {name}"
    return value if name in (FAULT, "traffic") else f"{name} {shown(name, value)}"


def shown(name: str, value: str) -> str:
    """Return a value with its unit: "5 s", "idle", "3"."""
    seconds = amount(value) if name in _TIMES else None
    return value if seconds is None else format_duration(seconds)


def is_number(name: str) -> bool:
    """Whether the setting ``name`` is an amount, whose values have an order."""
    return name in _NUMBERS


def amount(value: str) -> float | None:
    """Return the value of a setting as a number, seconds where it is a time."""
    try:
        return parse_duration(value)
    except Refused:
        return None


def in_order(value: str) -> tuple[bool, float, str]:
    """A key that puts amounts in their order, and words after them; what is not set comes first."""
    number = amount(value)
    return number is None and value != UNSET, -1.0 if number is None else number, value


def _follows(name: str, varies: dict[str, list[str]], words: dict[str, dict[str, str]]) -> bool:
    """Whether the fault says what the value of ``name`` is."""
    pairs = {(each[FAULT], each.get(name, UNSET)) for each in words.values()}
    return FAULT in varies and len(pairs) == len(varies[FAULT])


def _rank(name: str) -> int:
    if name in _FIRST:
        return _FIRST.index(name)
    return len(_FIRST) + (1 + _LAST.index(name) if name in _LAST else 0)


def _words(cell: Cell) -> dict[str, str]:
    """Take a cell's text apart. A word without "=" belongs to the value before it."""
    fault, *rest = cell.cell.split(" ")
    found = {FAULT: fault}
    last = FAULT
    for word in rest:
        name, equals, value = word.partition("=")
        if equals:
            last = name
            found[name] = value
        else:
            found[last] += f" {word}"
    return found
