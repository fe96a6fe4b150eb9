"""All checks in all states, together in one lab: from the command's values to an exit code, records kept on the way."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.markup import escape

from harness import runner
from harness.detectors import all_detectors, states
from harness.detectors.cell import ask
from harness.detectors.record import Cell
from harness.errors import Unavailable
from harness.events import Teller
from harness.labs.ground import go_private
from harness.labs.local import NetnsLab
from harness.observe import machine
from harness.observe.kernel import this_kernel
from harness.predict.situation import Kernel
from harness.report import detectors as report
from harness.report.detectors_page import page as as_page
from harness.store.run import Run

_NAME = "detectors"
# How many cells may be busy with opening and bringing about; all others only wait.
_AT_ONCE = 2


def run(ipv: Literal[4, 6], wanted: runner.Wanted, page: Path | None = None) -> int:
    """Ask every check in every state; return the exit code: 0 as expected, 3 not, 130 interrupted.

    ``page``: the Markdown page to write. Raises Unavailable where the lab cannot be had, or the page not written.
    """
    if page is not None and not _can_be_written(page):
        raise Unavailable(f"{page} cannot be written; name another file with --page")
    console = Console(stderr=True, highlight=False)
    cells: list[Cell] = []
    with Run.create(wanted.results, _NAME) as kept:
        kernel = this_kernel()
        metadata = machine.metadata()
        kept.describe(metadata)
        go_private()
        interrupted = runner.in_loop(_all(ipv, kernel, wanted, kept, cells, console), Teller())
    cells.sort(key=_place)
    report.show(cells, console)
    if interrupted:
        console.print(f"interrupted; what was seen is in {kept.folder}", soft_wrap=True, markup=False)
        return runner.INTERRUPTED
    if page is not None:
        page.write_text(as_page(cells, metadata))
    return 0 if all(cell.agrees for cell in cells) else runner.NOT_AS_PREDICTED


async def _all(ipv: Any, kernel: Kernel, wanted: runner.Wanted, kept: Run, cells: list[Cell], console: Console) -> None:
    lab = await NetnsLab.build(kernel, kept.folder / "packets.pcapng" if wanted.pcap else None)
    try:
        console.print(f"[bold]{_NAME}[/]: IPv{ipv}; {escape(str(kept.folder))}", soft_wrap=True)
        async for cell in every_cell(lab, ipv):
            cells.append(cell)
            kept.keep(cell)
            if wanted.json:
                runner.print_record(cell, kept)
    finally:
        await lab.close()


async def every_cell(lab: NetnsLab, ipv: Any) -> AsyncIterator[Cell]:
    """Yield each cell as it is done: the longest are begun first, so that all end soon after them."""
    turn = asyncio.Semaphore(_AT_ONCE)
    pairs = [(detector, state) for detector in all_detectors().values() for state in states.ALL]
    pairs.sort(key=lambda pair: -pair[0].longest_s)
    tasks = [asyncio.create_task(ask(lab, detector, state, ipv, turn, Teller())) for detector, state in pairs]
    try:
        for done in asyncio.as_completed(tasks):
            yield await done
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _place(cell: Cell) -> tuple[int, int]:
    return list(all_detectors()).index(cell.check), list(states.STATES).index(cell.state)


def _can_be_written(page: Path) -> bool:
    return os.access(page if page.exists() else page.absolute().parent, os.W_OK) and not page.is_dir()
