"""Many trials at the same time: trials as JSON lines on standard input, records on standard output.

``python -m harness.batch``: the engine without a run's folder, for programs that keep records themselves.
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
from harness.verdict.record import Record


def _print(record: Record) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(record) + b"\n")
    sys.stdout.buffer.flush()


async def _nothing(lab: Lab) -> None:
    """Nobody is told of the lab."""


def main() -> None:
    jobs = [Job(msgspec.json.decode(line, type=Trial)) for line in sys.stdin.buffer]
    place = Namespaces()
    place.enter()
    asyncio.run(Engine(place, Rules(at_once=most_at_once()), Teller(), _print, _nothing).run(jobs))


if __name__ == "__main__":
    main()
