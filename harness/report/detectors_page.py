"""The detectors' table as a page: Markdown, made from one run."""

import textwrap
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from harness.detectors import all_detectors
from harness.detectors.base import Detector
from harness.detectors.record import Cell
from harness.detectors.states import ALL
from harness.detectors.surprises import SURPRISES, Surprise
from harness.report.detectors import brief, costs, mark, not_as_expected

_WIDTH = 120

_HEAD = """\
# Which check notices what

Every check by which a program asks its own socket about the other end, against every state that a connection can be in,
each on a connection of its own. Made by `invoke detectors --page docs/detectors.md`; `tests/lab/test_detectors.py`
compares every cell with a table written by hand, over IPv4 and IPv6.

**The question**: is the other end still there, and will what I send now be received? "The other end" is the peer's
program, not its kernel.

- **right**: says alive where it is there, gone where it is not.
- **wrong**: says gone where it is there: a false alarm. A closed window is a peer that is alive and will read later,
  and a peer that has only ended its own sending still receives: calling either dead is wrong.
- **blind**: says alive where it is gone, or cannot tell. A stopped program receives nothing, whatever its kernel
  acknowledges: calling it alive is blind. So a check that says gone in every state is right half the time, by accident.

The documents, by number: 000 two Go programs that close in three ways; 001 how to close a TCP connection in Go; 002
writing to a closed connection, and pools; 003 detecting that a connection was closed; 004 one-way communication.
"""

_RECORD = """\
## The record

`invoke detectors --json` prints one object per cell, as it is done: `check`, `state`, `ipv`; `there`, what is true;
`answer` (alive, gone, unsure), what the check `saw`, its `verdict`, and `after_s`, from question to answer; `cost`,
with `eaten` and `sent` in bytes, `swallowed`, and the `packets` that the asking end sent meanwhile, by role; `then`,
what the program's own reading finds afterwards (how many `bytes`, and how they `end`); `expected`, with its `why`;
`differs`, in what it is not as expected; `proof`, with all that was seen of both sockets before the check was asked;
`agrees`, proved and as expected. Exit code 0: all cells agree; 3: not all.
"""


def page(cells: list[Cell], metadata: dict[str, Any]) -> str:
    """Return the page for the cells of one run."""
    return "\n".join(map(_wrapped, _lines(cells, metadata))).rstrip() + "\n"


def _wrapped(line: str) -> str:
    """Return a paragraph or an item in lines that a person can read; a table's row has to stay one."""
    if line.startswith("|") or len(line) <= _WIDTH or line in (_HEAD, _RECORD):
        return line
    indent = "  " if line.startswith("- ") else ""
    end = "\n" if line.endswith("\n") else ""
    return textwrap.fill(line, _WIDTH, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False) + end


def _lines(cells: list[Cell], metadata: dict[str, Any]) -> Iterator[str]:
    by_place = {(cell.check, cell.state): cell for cell in cells}
    yield _HEAD
    yield (
        f"Measured on {datetime.now(UTC):%Y-%m-%d}, Linux {cells[0].kernel}, CONFIG_HZ={metadata['hz']}, "
        f"IPv{cells[0].ipv}: {sum(cell.agrees for cell in cells)} of {len(cells)} cells as expected."
    )
    yield "\n## The table\n"
    yield "yes: right at once; a time: right, after so long; **WRONG**: a false alarm; -: blind.\n"
    yield "| check | " + " | ".join(state.name for state in ALL) + " | costs |"
    yield "|---|" + "---|" * (len(ALL) + 1)
    for name in all_detectors():
        row = [by_place[name, state.name] for state in ALL]
        entries = (f"**{mark(cell)}**" if mark(cell) == "WRONG" else mark(cell) for cell in row)
        yield f"| {name} | " + " | ".join(entries) + f" | {costs(row)} |"
    yield "\n## The states\n"
    yield "| state | is | the other end is there | because |"
    yield "|---|---|---|---|"
    for state in ALL:
        yield f"| {state.name} | {state.title} | {'yes' if state.there else 'no'} | {state.why} |"
    yield (
        "\nEach is proved before the check is asked: both sockets' states, queues and timers by sock_diag, the packets "
        "by the router; `--json` has them.\n"
    )
    yield "## What is surprising\n"
    for surprise in SURPRISES:
        yield from _surprise(surprise, by_place)
    yield "## Why, cell by cell\n"
    for detector in all_detectors().values():
        yield from _detector(detector, by_place)
    yield _RECORD
    odd = [cell for cell in cells if not cell.agrees]
    if odd:
        yield "## Not as expected in this run\n"
        yield from (f"- {cell.check}, {cell.state}: {not_as_expected(cell)}" for cell in odd)


def _surprise(surprise: Surprise, cells: dict[tuple[str, str], Cell]) -> Iterator[str]:
    yield f"**{surprise.claim}** {surprise.truth}\n"
    yield "Measured: " + "; ".join(_measured(cells[place]) for place in surprise.cells) + ".\n"


def _measured(cell: Cell) -> str:
    took = (
        ""
        if cell.cost is None
        else "".join(
            text
            for text, paid in (
                (f", {cell.cost.eaten} eaten", cell.cost.eaten),
                (", error taken", cell.cost.swallowed),
                (f", then {cell.then.get('bytes')} bytes and {cell.then.get('end')}", cell.then.get("bytes")),
            )
            if paid
        )
    )
    after = "" if cell.after_s is None else f", {brief(cell.after_s)}"
    return f"`{cell.check}` in {cell.state}: {cell.verdict} (says {cell.answer}: {cell.saw}{after}{took})"


def _detector(detector: Detector, cells: dict[tuple[str, str], Cell]) -> Iterator[str]:
    yield f"**{detector.name}**: {detector.title} ({detector.seen_in}).\n"
    for expect in detector.expects:
        found = [cells[detector.name, state] for state in expect.states.split()]
        longest = max((cell.after_s or 0.0 for cell in found), default=0.0)
        states = ", ".join(expect.states.split())
        yield f"- {states}: {expect.verdict} (within {brief(longest)}). {_capital(expect.why)}."
    yield ""


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
