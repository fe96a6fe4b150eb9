"""From trials to an exit code: have the engine run them, keep and show what was seen."""

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
from harness.engine import Engine, Job, Rules
from harness.errors import Unavailable
from harness.events import Listener, Teller
from harness.faults import all_faults
from harness.labs.place import Namespaces, Place
from harness.labs.protocols import Lab
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
    heed_signals()
    with Run.create(wanted.results, trials[0].fault) as kept:
        records: list[Record] = []

        def keep(record: Record) -> None:
            records.append(record)
            kept.keep(record)
            if wanted.json:
                print_record(record, kept)

        with Terminal(console) as terminal:

            def built(lab: Lab) -> None:
                # Introduced once the lab stands: one that cannot be built has one line to say, and no other.
                terminal.now = lab.now
                _introduce(trials[0], kept, console)

            jobs, rules = [Job(trial) for trial in trials], Rules(at_once=1)
            task = Task(place=place or Namespaces(), rules=rules, kept=kept, keep=keep, built=built, pcap=wanted.pcap)
            interrupted, _ = carry_out(jobs, task, terminal)
        table.show(records, console)
    if interrupted:
        console.print(f"interrupted; what was seen is in {kept.folder}", soft_wrap=True, markup=False)
        return INTERRUPTED
    return 0 if all(record.agrees and record.proof.holds for record in records) else NOT_AS_PREDICTED


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done with jobs: where, by which rules, and who gets what: ``keep`` each record, ``built`` the first
    lab. Events go to ``kept``.
    """

    place: Place
    rules: Rules
    kept: Run
    keep: Callable[[Record], None]
    built: Callable[[Lab], None]
    pcap: bool = False


def carry_out(jobs: list[Job], task: Task, *listeners: Listener) -> tuple[bool, Engine]:
    """Have the engine run ``jobs``; return whether a signal cut it short, and the engine. Raises HalfopenError."""
    kept = task.kept
    kept.describe(machine.metadata())
    task.place.enter()
    tell = Teller(*listeners, kept.note)

    async def built(lab: Lab) -> None:
        kept.describe({**machine.metadata(), **await lab.machine()})
        task.built(lab)

    async def run() -> None:
        await engine.run(jobs)

    pcap = kept.folder / "packets.pcapng" if task.pcap else None
    engine = Engine(task.place, task.rules, tell, task.keep, built, pcap)
    return in_loop(run(), tell), engine


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


def heed_signals() -> None:
    """From now on every signal that ends the program ends it as Ctrl-C does; the event loop has handlers of its own."""
    for number in _ENDING[1:]:
        signal.signal(number, _interrupt)


def _interrupt(number: int, frame: object) -> Never:
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


def print_record(record: msgspec.Struct, kept: Run) -> None:
    """Write a record to standard output, past Python's buffer: what a closed pipe refused must not be tried again."""
    try:
        wire.write_all(sys.stdout.fileno(), msgspec.json.encode(record) + b"\n")
    except OSError as error:
        raise Unavailable(
            f"standard output takes no more ({error.strerror}); the records are in {kept.folder}"
        ) from None
