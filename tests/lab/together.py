"""Runs many trials at the same time, each room of them in a program of its own, and returns their records."""

import subprocess
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from harness.rooms import rooms
from harness.spec.trial import Trial
from harness.verdict.record import Record

_ROOT = Path(__file__).parents[2]


def run_together(
    trials: Iterable[Trial], within_s: float, labs: int = 4, python: Sequence[str] = (sys.executable,)
) -> list[Record]:
    """Return a record for every trial. A program that fails or takes longer than ``within_s`` is an error.

    ``python``: what runs Python, which may be a command that runs it as somebody else.
    """
    with ThreadPoolExecutor(labs) as pool:
        parts = pool.map(lambda room: _room(room, within_s, python), rooms(trials))
        found = [record for part in parts for record in part]
    return sorted(found, key=lambda record: record.trial)


def _room(trials: list[Trial], within_s: float, python: Sequence[str]) -> list[Record]:
    asked = b"".join(msgspec.json.encode(trial) + b"\n" for trial in trials)
    done = subprocess.run(
        [*python, "-m", "harness.batch"], input=asked, capture_output=True, timeout=within_s, cwd=_ROOT, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    attempts = [msgspec.json.decode(line, type=Record) for line in done.stdout.splitlines()]
    return list({record.trial: record for record in attempts}.values())  # of each trial its last attempt
