"""Many trials at the same time in one lab: trials as JSON lines on standard input, records on standard output.

``python -m harness.batch``. One loop holds them all, each with its own moments. What belongs to a whole host or router
(tcp_retries2, a NAT) must be the same for all trials of a batch: ``rooms`` sorts trials so that it is.
"""

import asyncio
import sys
from collections.abc import Iterable

import msgspec

from harness.events import Teller
from harness.experiment import run_trial
from harness.labs.place import Namespaces, Place
from harness.labs.protocols import Lab
from harness.spec.trial import Trial
from harness.verdict.record import Record

# How many trials may be busy with setting up or striking; all others only wait.
_AT_ONCE = 2


def rooms(trials: Iterable[Trial]) -> list[list[Trial]]:
    """Return the trials in groups that can share a lab."""
    found: dict[object, list[Trial]] = {}
    for trial in trials:
        found.setdefault((trial.asked.retries2, _wide(trial)), []).append(trial)
    return list(found.values())


def _wide(trial: Trial) -> object:
    """What of the trial's fault all trials of its room must share: a NAT, or all of it if it takes a whole host."""
    if trial.fault == "expire-nat":
        return tuple(sorted(trial.options.items()))
    return trial.number if trial.options.get("where", "router") != "router" else None


async def run_together(trials: list[Trial], place: Place) -> None:
    """Run all ``trials`` at once in one lab and print each record as it comes."""
    lab = await place.build(trials, None)
    try:
        turn = asyncio.Semaphore(_AT_ONCE)
        async with asyncio.TaskGroup() as group:
            for trial in trials:
                group.create_task(_one(lab, trial, turn))
    finally:
        await lab.close()


async def _one(lab: Lab, trial: Trial, turn: asyncio.Semaphore) -> None:
    record: Record = await run_trial(lab, trial, Teller(), turn)
    sys.stdout.buffer.write(msgspec.json.encode(record) + b"\n")
    sys.stdout.buffer.flush()


def main() -> None:
    trials = [msgspec.json.decode(line, type=Trial) for line in sys.stdin.buffer]
    place = Namespaces()
    place.enter()
    asyncio.run(run_together(trials, place))


if __name__ == "__main__":
    main()
