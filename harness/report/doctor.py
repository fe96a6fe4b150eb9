"""What the doctor found, for a person (a table) or for a program (one JSON object per capability)."""

import sys
from collections.abc import Sequence
from typing import TextIO

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.doctor import Capability

_MARKS = {True: ("yes", "green"), False: ("no", "red"), None: ("?", "yellow")}


def write_table(capabilities: Sequence[Capability], out: TextIO | None = None, width: int | None = None) -> None:
    """Print the table, and below it what is lost and how to get it. ``out``: standard error unless given."""
    console = Console(file=out or sys.stderr, width=width, highlight=False)
    table = Table(box=None, padding=(0, 2, 0, 0), show_edge=False)
    table.add_column("capability", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("found", overflow="fold")
    for capability in capabilities:
        word, colour = _MARKS[capability.present]
        table.add_row(capability.name, Text(word, style=colour), Text(capability.how))
    console.print(table)
    lacking = [capability for capability in capabilities if not capability.present]
    if lacking:
        console.print()
        console.print(_lacks(lacking))
    console.print()
    console.print(Text(summary(capabilities)))


def json_lines(capabilities: Sequence[Capability]) -> str:
    """Return one JSON object a line, fields as in ``Capability``."""
    return "".join(msgspec.json.encode(capability).decode() + "\n" for capability in capabilities)


def summary(capabilities: Sequence[Capability]) -> str:
    """Return the one sentence that it comes to."""
    needed = [capability.name for capability in capabilities if capability.required and not capability.present]
    if needed:
        return f"This machine cannot run the lab: {', '.join(needed)} missing."
    optional = [capability.name for capability in capabilities if not capability.present]
    if optional:
        return f"This machine can run the lab, without {', '.join(optional)}."
    return "This machine can run everything."


def _lacks(lacking: Sequence[Capability]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), show_edge=False)
    table.add_column("missing", no_wrap=True)
    table.add_column("what is lost", overflow="fold", ratio=1)
    table.add_column("how to get it", overflow="fold", ratio=1)
    for capability in lacking:
        table.add_row(capability.name, Text(capability.lost), Text(capability.get))
    return table
