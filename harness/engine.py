"""Runs trials, however many: one or a whole sweep, in as few labs as their faults allow, all of a lab at the same time.

The engine waits on events, never on a tick: each trial is a task that sleeps until its own next moment, and one loop
holds thousands. Only setting up and striking take turns (turns.py). A record is handed on the moment it is there.
"""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import msgspec

from harness.errors import Unavailable
from harness.events import Listener, Teller
from harness.experiment import run_trial
from harness.faults import all_faults
from harness.labs.agent import EndpointGone
from harness.labs.place import Place
from harness.labs.protocols import Lab
from harness.rooms import rooms
from harness.spec.trial import Trial
from harness.turns import Turns
from harness.verdict import lateness
from harness.verdict.record import Record

# How many trials may be busy with setting up or striking; all others only wait.
_BUSY_AT_ONCE = 2
# Trials whose connection talks on after the fault: each costs some hundred packets a second, all of them captured.
_TALKING_AT_ONCE = 16
_SWITCH_S = 0.0002
# Peers with a process of their own, some 12 MB each if one counts what they share: those that the fault kills live for
# their quiet, and so many at a time set up a hundred a second; those that it stops live as long as their trial.
_SHORT_LIVED_AT_ONCE, _SHORT_QUIET_S = 28, 1.0
_LONG_LIVED_AT_ONCE = 400
_FREE: contextlib.AbstractAsyncContextManager[None] = contextlib.nullcontext()


class Job(msgspec.Struct, frozen=True):
    """A trial to be run. ``attempt``: how many attempts of it are in the records already."""

    trial: Trial
    attempt: int = 0


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """``at_once``: how many trials may run at the same time; ``again``: how often one that is flagged, or whose process
    did not answer, is run again; ``lateness_s``: the budget beyond which it is flagged, None: never.
    """

    at_once: int
    again: int = 0
    lateness_s: float | None = None


Keep = Callable[[Record], None]
Built = Callable[[Lab], Awaitable[None]]


class Engine:
    """``tell`` is told what happens, ``keep`` is given each record; ``built`` is called with the first lab.

    ``pcap``: the file for the packets; each further lab has one of its own beside it.
    ``failed``: trials without a record, each with why.
    """

    def __init__(
        self, place: Place, rules: Rules, tell: Teller, keep: Keep, built: Built, pcap: Path | None = None
    ) -> None:
        self._place, self._rules, self._tell, self._keep, self._built = place, rules, tell, keep, built
        self._pcap = pcap
        self._labs = asyncio.Semaphore(place.labs_at_once)
        self._places = asyncio.Semaphore(rules.at_once)
        self._talking = asyncio.Semaphore(_TALKING_AT_ONCE)
        self._short_lived = asyncio.Semaphore(_SHORT_LIVED_AT_ONCE)
        self._long_lived = asyncio.Semaphore(_LONG_LIVED_AT_ONCE)
        self._turns = Turns(_BUSY_AT_ONCE)
        self._rooms = self._of = 0
        self.failed: list[tuple[Trial, str]] = []

    async def run(self, jobs: Sequence[Job]) -> None:
        """Run all jobs, in their order within each lab. Raises HalfopenError where a lab cannot be had or be kept."""
        # A thread that has just put a fault in force stamps it once it has the interpreter again: within this.
        sys.setswitchinterval(_SWITCH_S)
        self._of = len(jobs)
        by_number = {job.trial.number: job for job in jobs}
        found = rooms((job.trial for job in jobs), self._place)
        async with _group() as group:
            for room in found:
                await self._labs.acquire()
                task = group.create_task(self._room([by_number[trial.number] for trial in room], len(found)))
                task.add_done_callback(lambda _: self._labs.release())

    async def _room(self, jobs: list[Job], of: int) -> None:
        self._rooms += 1
        number = self._rooms
        lab = await self._place.build([job.trial for job in jobs], self._packets(number))
        try:
            tell = self._tell.by(lab.now)
            if number == 1:
                await self._built(lab)
            tell("room", number=number, of=of, trials=len(jobs))
            await _unless_gone(lab, self._trials(lab, jobs, tell))
        finally:
            await lab.close()

    async def _trials(self, lab: Lab, jobs: list[Job], tell: Teller) -> None:
        async with _group() as group:
            for job in jobs:
                await self._places.acquire()
                group.create_task(self._job(lab, job, tell)).add_done_callback(lambda _: self._places.release())

    def _packets(self, room: int) -> Path | None:
        if self._pcap is None or room == 1:
            return self._pcap
        return self._pcap.with_stem(f"{self._pcap.stem}-{room}")

    async def _job(self, lab: Lab, job: Job, tell: Teller) -> None:
        """Run a trial until an attempt counts, or as often as the rules say."""
        trial, again = job.trial, self._rules.again
        why = ""
        for attempt in range(job.attempt, max(again, job.attempt) + 1):
            about = tell.about(trial=trial.number, attempt=attempt)
            try:
                async with self._talking if _talks(trial) else _FREE, self._peer(trial) as on_event:
                    about = about.also(on_event)
                    about("trial", number=trial.number, of=self._of)
                    record = await run_trial(lab, trial, about, self._turns)
            except (EndpointGone, TimeoutError) as error:
                if not again:
                    raise
                why = str(error) or "an endpoint did not do in time what it was asked"
                about("failed", why=why)
                continue
            if self._keep_attempt(record, attempt):
                return
        if why:
            self.failed.append((trial, why))

    @contextlib.asynccontextmanager
    async def _peer(self, trial: Trial) -> AsyncIterator[Listener]:
        """Wait until another process may live, where the trial's peer is one; it is given back once it is dead."""
        fault = all_faults()[trial.fault]
        if not fault.own_process:
            yield _ignore
            return
        dies = fault.claim != "hung"
        place = self._short_lived if dies and trial.quiet_s <= _SHORT_QUIET_S else self._long_lived
        await place.acquire()
        with contextlib.ExitStack() as held:
            held.callback(place.release)

            def listen(name: str, fields: dict[str, Any]) -> None:
                if name == "fault" and dies:
                    held.close()

            yield listen

    def _keep_attempt(self, record: Record, attempt: int) -> bool:
        """Hand the record on; return whether it counts."""
        budget = self._rules.lateness_s
        flagged = None if budget is None else lateness.flag(record, budget)
        self._keep(msgspec.structs.replace(record, attempt=attempt, flagged=flagged))
        return flagged is None


def _ignore(name: str, fields: dict[str, Any]) -> None:
    """Nothing is waited for."""


def _talks(trial: Trial) -> bool:
    """Whether the connection goes on talking after the fault."""
    if trial.traffic not in ("stream", "listen"):
        return False
    effect = all_faults()[trial.fault](**trial.options).effect(trial.traffic, trial.survivor)
    return "drop" not in (effect.to_peer, effect.to_survivor) or effect.heals_after_s is not None


async def _unless_gone(lab: Lab, work: Coroutine[Any, Any, None]) -> None:
    """Do ``work``. Raises Unavailable as soon as a host of the lab is gone that was not to go."""
    doing, gone = asyncio.create_task(work), asyncio.create_task(lab.gone())
    try:
        await asyncio.wait({doing, gone}, return_when=asyncio.FIRST_COMPLETED)
        if gone.done():
            raise Unavailable(gone.result())
        await doing
    finally:
        for task in (doing, gone):
            task.cancel()
        await asyncio.gather(doing, gone, return_exceptions=True)


@contextlib.asynccontextmanager
async def _group() -> AsyncIterator[asyncio.TaskGroup]:
    """A task group whose first failure is raised as itself: a user gets one line."""
    try:
        async with asyncio.TaskGroup() as group:
            yield group
    except BaseExceptionGroup as failures:
        first: BaseException = failures
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        raise first from None
