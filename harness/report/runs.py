"""The list of runs on the terminal, within 80 columns, the newest last; and as JSON lines."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TextIO

import msgspec
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.store.disk import format_size
from harness.store.listing import Listed

_DAY_S, _HOUR_S, _MINUTE_S = 86_400, 3_600, 60


def show(found: list[Listed], out: TextIO) -> None:
    """Print the table and the sum of it."""
    console = Console(file=out, highlight=False, markup=False)
    if not found:
        console.print("no runs yet")
        return
    console.print(table(found, datetime.now(UTC)))
    pinned = sum(each.pinned for each in found)
    console.print(
        f"{len(found)} {'run' if len(found) == 1 else 'runs'}, {sum(each.trials for each in found)} trials, "
        f"{format_size(sum(each.bytes for each in found))} on the disk; {pinned} pinned",
        soft_wrap=True,
    )


def json_lines(found: list[Listed]) -> Iterator[bytes]:
    for each in found:
        yield msgspec.json.encode(each) + b"\n"


def table(found: list[Listed], now: datetime) -> Table:
    """Return the table. What is not in a run's name stands below it: other experiments, pin, running."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=0)
    made.add_column("run", overflow="fold", min_width=33)
    for column in ("age", "cells", "trials"):
        made.add_column(column, justify="right", no_wrap=True)
    made.add_column("seen", no_wrap=True)
    made.add_column("agrees", no_wrap=True)
    made.add_column("disk", justify="right", no_wrap=True)
    for each in found:
        made.add_row(
            _name(each),
            age(each.started, now),
            str(each.cells),
            str(each.trials),
            "\n".join(seen(each)),
            agrees(each),
            format_size(each.bytes),
        )
    return made


def seen(each: Listed) -> list[str]:
    """Return what became of the run's trials, a line for each verdict."""
    verdicts = ("detected", "missed", "mistaken", "survived", "unknown", "flagged")
    lines = [f"{count} {verdict}" for verdict in verdicts if (count := getattr(each, verdict))]
    if each.others:
        lines.append(f"{each.others} records")
    if each.unreadable:
        lines.append(f"{each.unreadable} cut short")
    return lines or ["nothing"]


def agrees(each: Listed) -> Text:
    """Return whether every trial was as predicted, and proved."""
    if not each.trials:
        return Text("-")
    wrong = [f"{each.disagree} NO"] if each.disagree else []
    wrong += [f"{each.unproved} not proved"] if each.unproved else []
    return Text("\n".join(wrong), style="bold red") if wrong else Text("yes")


def age(started: str, now: datetime) -> str:
    """Return how long ago a run began, in one unit."""
    gone = (now - datetime.fromisoformat(started)).total_seconds()
    for unit, seconds in (("d", _DAY_S), ("h", _HOUR_S), ("min", _MINUTE_S)):
        if gone >= seconds:
            return f"{int(gone / seconds)} {unit}"
    return "now"


def _name(each: Listed) -> Text:
    text = Text(each.name)
    names = each.experiments.split()
    notes = ["running"] if each.running else []
    notes += ["pinned"] if each.pinned else []
    if names not in ([], [each.what]):
        notes.append(f"{len(names)} experiments" if len(names) > 2 else ", ".join(names))
    return text.append(f"\n  {'; '.join(notes)}", style="dim") if notes else text
