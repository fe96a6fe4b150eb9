"""Many trials at the same time: trials as JSON lines on standard input, records on standard output.

``python -m harness.batch``: the engine without a run's folder, for programs that keep records themselves. As in a
sweep, an attempt that measured the machine (verdict/lateness.py) is flagged, and the trial run again.
"""

import asyncio
import sys

import msgspec

from harness.engine import Engine, Job, Rules
from harness.events import Teller
from harness.labs.place import Namespaces
from harness.labs.protocols import Lab
from harness.limits import most_at_once
from harness.spec.trial import Trial
from harness.verdict import lateness
from harness.verdict.record import Record

_AGAIN = 2


def _print(record: Record) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(record) + b"\n")
    sys.stdout.buffer.flush()


async def _nothing(lab: Lab) -> None:
    """Nobody is told of the lab."""


def main() -> None:
    jobs = [Job(msgspec.json.decode(line, type=Trial)) for line in sys.stdin.buffer]
    place = Namespaces()
    place.enter()
    rules = Rules(at_once=most_at_once(), again=_AGAIN, lateness_s=lateness.BUDGET_S)
    engine = Engine(place, rules, Teller(), _print, _nothing)
    asyncio.run(engine.run(jobs))
    if engine.failed:
        sys.exit("\n".join(f"trial {trial.number}: {why}" for trial, why in engine.failed))


if __name__ == "__main__":
    main()
