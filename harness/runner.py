"""From trials to an exit code: enter the namespaces, build the lab, run the trials, keep and show what was seen."""

import asyncio
import signal
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Never

import msgspec
from rich.console import Console
from rich.markup import escape

from harness.endpoints import wire
from harness.errors import Unavailable
from harness.events import Teller
from harness.experiment import run_trial
from harness.faults import all_faults
from harness.labs.place import Namespaces, Place
from harness.observe import machine
from harness.predict.meaning import meaning
from harness.report import table
from harness.report.terminal import Terminal
from harness.spec.settings import Settings
from harness.spec.trial import Trial
from harness.store.run import Run
from harness.verdict.record import Record

INTERRUPTED = 130
NOT_AS_PREDICTED = 3
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What a command asks of a run, beside its trials."""

    results: Path
    json: bool = False
    pcap: bool = False


def run(trials: list[Trial], wanted: Wanted, place: Place | None = None) -> int:
    """Run ``trials`` one after the other in ``place`` (this machine's namespaces); return the exit code (0, 3 or 130).

    Raises HalfopenError (with its exit code) where it cannot start or go on.
    """
    console = Console(stderr=True, highlight=False)
    place = place or Namespaces()
    for number in _ENDING[1:]:
        signal.signal(number, _interrupt)
    with Run.create(wanted.results, trials[0].fault) as kept:
        kept.describe(machine.metadata())
        place.enter()
        records: list[Record] = []
        with Terminal(console) as terminal:
            tell = Teller(terminal, kept.note)
            terminal.now = lambda: tell.clock()
            # Introduced once the lab stands: one that cannot be built has one line to say, and no other.
            interrupted = in_loop(
                _all(trials, place, wanted, kept, tell, records, lambda: _introduce(trials[0], kept, console)), tell
            )
        table.show(records, console)
    if interrupted:
        console.print(f"interrupted; what was seen is in {kept.folder}", soft_wrap=True, markup=False)
        return INTERRUPTED
    return 0 if all(record.agrees and record.proof.holds for record in records) else NOT_AS_PREDICTED


def _introduce(trial: Trial, kept: Run, console: Console) -> None:
    """Say, before anything waits, what is measured and what the defaults mean."""
    console.print(
        f"[bold]{trial.fault}[/]: the {trial.survivor} survives, traffic {trial.traffic}, IPv{trial.ipv}; "
        f"{escape(str(kept.folder))}",
        soft_wrap=True,
    )
    fault = all_faults()[trial.fault](**trial.options)
    for sentence in meaning(trial.asked.over(Settings()), trial.traffic, fault.effect(trial.traffic, trial.survivor)):
        console.print(f"  {sentence}", soft_wrap=True)


def _interrupt(number: int, frame: object) -> Never:
    """Until the event loop has handlers of its own, every signal that ends the program ends it as Ctrl-C does."""
    raise KeyboardInterrupt


def in_loop(work: Coroutine[Any, Any, None], tell: Teller) -> bool:
    """Do ``work`` in an event loop; return whether a signal cut it short."""
    failed: list[BaseException] = []
    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        task = loop.create_task(work)

        def on_failure(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
            """What goes wrong in a callback (a packet that cannot be kept) is an error of the run, like any other."""
            if "handle" in context and "exception" in context:
                failed.append(context["exception"])
                task.cancel()
            else:
                loop.default_exception_handler(context)

        loop.set_exception_handler(on_failure)
        for number in _ENDING:
            loop.add_signal_handler(number, task.cancel)
        try:
            runner.run(_finish(task))
        except asyncio.CancelledError:
            if failed:
                raise failed[0] from None
            tell("interrupted")
            return True
        finally:
            for number in _ENDING:
                loop.remove_signal_handler(number)
    return False


async def _finish(task: "asyncio.Task[None]") -> None:
    await task


async def _all(
    trials: list[Trial],
    place: Place,
    wanted: Wanted,
    kept: Run,
    tell: Teller,
    records: list[Record],
    introduce: Callable[[], None],
) -> None:
    lab = await place.build(trials, kept.folder / "packets.pcapng" if wanted.pcap else None)
    try:
        tell.clock = lab.now
        kept.describe({**machine.metadata(), **await lab.machine()})
        introduce()
        for trial in trials:
            tell("trial", number=trial.number, of=len(trials))
            record = await run_trial(lab, trial, tell)
            records.append(record)
            kept.keep(record)
            if wanted.json:
                print_record(record, kept)
    finally:
        await lab.close()


def print_record(record: msgspec.Struct, kept: Run) -> None:
    """Write a record to standard output, past Python's buffer: what a closed pipe refused must not be tried again."""
    try:
        wire.write_all(sys.stdout.fileno(), msgspec.json.encode(record) + b"\n")
    except OSError as error:
        raise Unavailable(
            f"standard output takes no more ({error.strerror}); the records are in {kept.folder}"
        ) from None
