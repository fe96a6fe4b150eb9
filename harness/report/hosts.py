"""What was found of the machines in a hosts file, for a person (a table) or for a program (one JSON object a check)."""

import sys
from collections.abc import Sequence
from typing import TextIO

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.doctor.hosts import Check

_MARKS = {True: ("yes", "green"), False: ("no", "red"), None: ("?", "yellow")}


def write_table(checks: Sequence[Check], out: TextIO | None = None, width: int | None = None) -> None:
    """Print a table for each host, and what to do below. ``out``: standard error unless given."""
    console = Console(file=out or sys.stderr, width=width, highlight=False)
    for side in dict.fromkeys(check.side for check in checks):
        of_host = [check for check in checks if check.side == side]
        console.print(Text(f"{side}: {of_host[0].host}", style="bold"))
        console.print(_found(of_host))
        console.print()
    lacking = [check for check in checks if check.present is False]
    if lacking:
        console.print(_lacks(lacking))
        console.print()
    console.print(Text(summary(checks)))


def json_lines(checks: Sequence[Check]) -> str:
    """Return one JSON object a line, fields as in ``Check``."""
    return "".join(msgspec.json.encode(check).decode() + "\n" for check in checks)


def summary(checks: Sequence[Check]) -> str:
    """Return the one sentence that it comes to."""
    needed = [check for check in checks if check.required and not check.present]
    if needed:
        # What could not be tried follows from what failed.
        named = [check for check in needed if check.present is False] or needed
        return f"These hosts cannot run an experiment: {', '.join(map(_name, named))} missing."
    better = [_name(check) for check in checks if not check.present]
    if better:
        return f"These hosts can run experiments, without {', '.join(better)}."
    return "These hosts can run experiments."


def ready(checks: Sequence[Check]) -> bool:
    """Return whether everything is there that an experiment needs."""
    return all(check.present for check in checks if check.required)


def _name(check: Check) -> str:
    return f"{check.side}'s {check.name}"


def _found(checks: Sequence[Check]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), show_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for check in checks:
        word, colour = _MARKS[check.present]
        table.add_row(check.name, Text(word, style=colour), Text(check.how))
    return table


def _lacks(checks: Sequence[Check]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), show_edge=False)
    table.add_column("missing", no_wrap=True)
    table.add_column("what to do", overflow="fold")
    for check in checks:
        table.add_row(_name(check), Text(check.get))
    return table
