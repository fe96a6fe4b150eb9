"""One run on the terminal: what it was, its cells, what was not as it should be and why; or one trial, whole."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import msgspec
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.errors import Refused
from harness.report import facts, sums
from harness.report import table as of_trials
from harness.report.facts import Facts
from harness.report.others import show_others
from harness.report.sides import both_sides
from harness.store.cells import Cell, cells, standing
from harness.store.disk import disk_use, format_size
from harness.store.find import started
from harness.store.lock import is_running
from harness.store.pin import is_pinned
from harness.store.reading import Content
from harness.store.run import MACHINE
from harness.store.summary import summarize
from harness.verdict.record import Record

_MOST_SIDES = 5  # both sides of a disagreement fill half a screen
_MOST_FLAGGED = 10


def show_run(folder: Path, content: Content, out: TextIO) -> None:
    """Print the run."""
    console = _console(out)
    for line in _head(folder, content):
        console.print(line, soft_wrap=True)
    if content.others:
        show_others(content.others, Console(file=out, highlight=False))
    if not content.records:
        if not content.others:
            console.print("no trial was finished")
        return
    known = facts.gather(folder.name, content.records, machine(folder), started(folder))
    console.print(sums.sentence(known), soft_wrap=True)
    console.print(cells_table(known))
    same = known.phrase(known.cells[0], known.same)
    if same and len(known.cells) > 1:
        console.print(f"in all cells: {same}", soft_wrap=True)
    _disagreements(standing(content.records), console)


def cells_table(known: Facts) -> Table:
    """Return the run's cells, a row each, told apart by what varies."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    made.add_column("cell", overflow="fold", min_width=16)
    for column in ("trials", "median", "spread", "predicted"):
        made.add_column(column, justify="right", no_wrap=True)
    made.add_column("seen", overflow="fold")
    made.add_column("agrees", no_wrap=True)
    for cell in known.cells:
        made.add_row(
            Text(known.label(cell)),
            f"{cell.trials}" + (f"+{cell.flagged}" if cell.flagged else ""),
            "-" if cell.median_s is None else f"{cell.median_s:.3f} s",
            _spread(cell),
            sums.predicted(cell),
            Text(sums.verdict(cell)),
            _agrees(cell),
        )
    return made


def of_trial(folder: Path, content: Content, number: int) -> list[Record]:
    """Return every attempt at trial ``number``. Raises Refused where there is none."""
    found = [record for record in content.records if record.trial == number]
    if found:
        return found
    numbers = sorted({record.trial for record in content.records})
    there = f"its numbers are from {numbers[0]} to {numbers[-1]}" if numbers else "it has no trials"
    raise Refused(f"--trial: {folder.name} has no trial {number}; {there}")


def show_trial(attempts: list[Record], out: TextIO) -> None:
    """Print one trial whole: each attempt with its settings, both sides step by step, and the explanation."""
    console = _console(out)
    for record in attempts:
        title = f"trial {record.trial}" + (f", attempt {record.attempt}" if len(attempts) > 1 else "")
        console.print(Text.assemble((title, "bold"), f": {record.cell or record.experiment}"), soft_wrap=True)
        if record.flagged is not None:
            console.print(f"does not count: {record.flagged}", soft_wrap=True)
        console.print(f"settings in force: {_settings(record)}", soft_wrap=True)
        of_trials.show([record], console)
        if record.agrees:
            console.print(both_sides(record))


def run_json(folder: Path, content: Content) -> bytes:
    """Return the run as one JSON object on one line."""
    odd = [each for each in standing(content.records) if each.flagged is None and sums.is_odd(each)]
    whole = {
        "run": summarize(folder, content),
        "bytes": disk_use(folder),
        "pinned": is_pinned(folder),
        "running": is_running(folder),
        "machine": machine(folder),
        "cells": cells(content.records),
        "disagreements": odd,
        "others": content.others,
    }
    return msgspec.json.encode(whole) + b"\n"


def records_json(found: list[Record]) -> list[bytes]:
    return [msgspec.json.encode(record) + b"\n" for record in found]


def machine(folder: Path) -> dict[str, Any]:
    """Return machine.json, or nothing where it is missing or damaged."""
    try:
        found = msgspec.json.decode((folder / MACHINE).read_bytes())
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return {}
    return found if isinstance(found, dict) else {}


def _console(out: TextIO) -> Console:
    """A console that takes what is written in a record for what it is: brackets are brackets."""
    return Console(file=out, highlight=False, markup=False)


def _head(folder: Path, content: Content) -> Iterator[Text]:
    known, summary = machine(folder), summarize(folder, content)
    notes = [f"began {summary.started.replace('T', ' ').replace('Z', ' UTC')}", format_size(disk_use(folder))]
    notes += ["pinned"] if is_pinned(folder) else []
    notes += ["running now"] if is_running(folder) else []
    notes += [f"{content.unreadable} lines cut short"] if content.unreadable else []
    yield Text.assemble((folder.name, "bold"), f": {', '.join(notes)}")
    if known:
        parts = (
            f"Linux {known.get('kernel', 'unknown')}",
            f"HZ {known.get('hz', 'unknown')}",
            f"{known.get('cpus', 'unknown')} processors",
            f"clock {known.get('clocksource', 'unknown')}",
        )
        yield Text("made on " + ", ".join(parts))


def _disagreements(stand: list[Record], console: Console) -> None:
    """Print both sides of what was not as predicted or not proved, and why others do not count."""
    odd = [record for record in stand if record.flagged is None and sums.is_odd(record)]
    for record in odd[:_MOST_SIDES]:
        console.print()
        title = f"trial {record.trial}, {sums.what_is_odd(record)}"
        console.print(Text.assemble((title, "bold red"), f": {record.cell or record.experiment}"), soft_wrap=True)
        if record.proof.missing:
            console.print(f"not proved: {record.proof.missing}", soft_wrap=True)
        console.print(both_sides(record))
        console.print(record.why, soft_wrap=True)
    if len(odd) > _MOST_SIDES:
        numbers = ", ".join(str(record.trial) for record in odd[_MOST_SIDES : _MOST_SIDES + _MOST_FLAGGED])
        console.print(f"{len(odd) - _MOST_SIDES} more like these (--trial N shows one, --json all): {numbers} ...")
    flagged = [record for record in stand if record.flagged is not None]
    for record in flagged[:_MOST_FLAGGED]:
        console.print(f"trial {record.trial} does not count: {record.flagged}", soft_wrap=True)
    if len(flagged) > _MOST_FLAGGED:
        console.print(f"{len(flagged) - _MOST_FLAGGED} more do not count")


def _spread(cell: Cell) -> str:
    if cell.min_s is None or cell.max_s is None or len(cell.after_s) < 2:
        return "-"
    return f"{(cell.max_s - cell.min_s) * 1000:.1f} ms"


def _agrees(cell: Cell) -> Text:
    wrong = [f"{cell.disagree} NO"] if cell.disagree else []
    wrong += [f"{cell.unproved} not proved"] if cell.unproved else []
    return Text("\n".join(wrong), style="bold red") if wrong else Text("yes" if cell.trials else "-")


def _settings(record: Record) -> str:
    fields = msgspec.structs.asdict(record.settings)
    return ", ".join(f"{name} {value}" for name, value in fields.items() if value is not None)
