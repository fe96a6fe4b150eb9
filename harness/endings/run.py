"""From an ending's options to an exit code: build the lab, play the trials, keep and show what was seen."""

from typing import Any

from rich.console import Console
from rich.markup import escape

from harness import runner
from harness.endings.base import Script
from harness.endings.record import Ending
from harness.endings.trial import run_ending
from harness.events import Teller
from harness.labs.ground import go_private
from harness.labs.local import NetnsLab
from harness.observe import machine
from harness.observe.kernel import this_kernel
from harness.predict.situation import Kernel
from harness.report.endings import show_ending
from harness.spec.sides import other
from harness.spec.trial import Trial
from harness.store.run import Run


def run(script: Script, ipv: Any, repeat: int, wanted: runner.Wanted) -> int:
    """Play ``script`` ``repeat`` times; return the exit code: 0, 3 or 130."""
    console = Console(stderr=True, highlight=False)
    endings: list[Ending] = []
    with Run.create(wanted.results, script.name) as kept:
        kernel = this_kernel()
        kept.describe(machine.metadata())
        go_private()
        tell = Teller(kept.note)
        interrupted = runner.in_loop(_all(script, ipv, repeat, kernel, wanted, kept, tell, endings, console), tell)
    if interrupted:
        console.print(f"interrupted; what was seen is in {kept.folder}", soft_wrap=True, markup=False)
        return runner.INTERRUPTED
    return 0 if all(ending.consistent and ending.expected for ending in endings) else runner.NOT_AS_PREDICTED


async def _all(
    script: Script,
    ipv: Any,
    repeat: int,
    kernel: Kernel,
    wanted: runner.Wanted,
    kept: Run,
    tell: Teller,
    endings: list[Ending],
    console: Console,
) -> None:
    lab = await NetnsLab.build(kernel, kept.folder / "packets.pcapng" if wanted.pcap else None)
    try:
        console.print(f"[bold]{script.name}[/]: IPv{ipv}; {escape(str(kept.folder))}", soft_wrap=True)
        for number in range(repeat):
            tell("trial", number=number, of=repeat)
            trial = Trial(fault=script.name, survivor=other(script.mortal), ipv=ipv, number=number)
            ending = await run_ending(lab, kernel, script, trial, tell)
            endings.append(ending)
            kept.keep(ending)
            if wanted.json:
                runner.print_record(ending, kept)
            show_ending(ending, console, repeat)
    finally:
        await lab.close()
