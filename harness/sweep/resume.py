"""What is left of a sweep that ended early: told by its records alone."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from harness.engine import Job
from harness.errors import Refused
from harness.spec.trial import Trial
from harness.store.find import RECORDS, find_run, runs
from harness.sweep.plan import is_sweep


class Brief(msgspec.Struct, frozen=True):
    """Of a record, what tells whether its trial still is to be run."""

    trial: int
    attempt: int = 0
    flagged: str | None = None


def briefs(folder: Path) -> list[Brief]:
    """Return the records of a run in brief; a line that a kill cut short is none."""
    found = []
    for line in (folder / RECORDS).read_bytes().splitlines():
        try:
            found.append(msgspec.json.decode(line, type=Brief))
        except msgspec.DecodeError:
            continue
    return found


def left(planned: Sequence[Trial], kept: Iterable[Brief], again: int) -> list[Job]:
    """Return the jobs that are still to be done, in the order of the plan.

    A trial is done with its first record that is not flagged, or when it was run ``again`` times and always flagged.
    """
    done: set[int] = set()
    attempts: dict[int, int] = {}
    for brief in kept:
        attempts[brief.trial] = max(attempts.get(brief.trial, 0), brief.attempt + 1)
        if brief.flagged is None or brief.attempt >= again:
            done.add(brief.trial)
    return [Job(trial, attempts.get(trial.number, 0)) for trial in planned if trial.number not in done]


def which(named: str | None, results: Path) -> Path:
    """Return the folder of the run to go on with; None: the last sweep there. Raises Refused."""
    if named is not None:
        return find_run(named, results)
    folder = next((each for each in reversed(runs(results)) if is_sweep(each)), None)
    if folder is None:
        raise Refused(f"--resume: there is no sweep in {results}")
    return folder
