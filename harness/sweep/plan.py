"""What is to be run, in which order, and where that is kept: plan.jsonl and sweep.json in the run's folder.

The order is a seeded shuffle, so that a drift of the machine is not mistaken for an effect of a setting, and so that
cells that would die at the same instant are not set up side by side. A shard is every n-th trial of that order.
"""

import random
import re
from collections.abc import Sequence
from pathlib import Path

import msgspec

from harness.errors import Refused, Unavailable
from harness.spec.trial import Trial

_PLAN, _SWEEP = "plan.jsonl", "sweep.json"


class Shard(msgspec.Struct, frozen=True):
    """Part ``part`` (from 1) of ``of``."""

    part: int = 1
    of: int = 1


WHOLE = Shard()


class Sweep(msgspec.Struct, frozen=True, kw_only=True):
    """Of a planned sweep, all but its trials. ``lateness_s``: the budget; ``again``: how often a trial is run again."""

    name: str
    seed: int = 0
    shard: Shard = WHOLE
    source: str = ""
    lateness_s: float = 0.02
    again: int = 2


def shard(text: str) -> Shard:
    """Return the shard that is written "2/4". Raises Refused."""
    found = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text.strip())
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise Refused(f"--shard: {text!r} is refused; 1/4 to 4/4 are the parts of four")
    return Shard(int(found[1]), int(found[2]))


def order(trials: Sequence[Trial], seed: int, shard: Shard = WHOLE) -> list[Trial]:
    """Return the trials of the shard in the order that the seed says."""
    shuffled = list(trials)
    random.Random(seed).shuffle(shuffled)
    return shuffled[shard.part - 1 :: shard.of]


def write(folder: Path, sweep: Sweep, trials: Sequence[Trial]) -> None:
    """Keep the plan. sweep.json is there once the plan is whole. Raises Unavailable."""
    lines = b"".join(msgspec.json.encode(trial) + b"\n" for trial in trials)
    description = msgspec.json.format(msgspec.json.encode(sweep), indent=2) + b"\n"
    try:
        for name, content in ((_PLAN, lines), (_SWEEP, description)):
            unfinished = folder / f".{name}"
            unfinished.write_bytes(content)
            unfinished.replace(folder / name)
    except OSError as error:
        raise Unavailable(f"{folder} cannot be written ({error.strerror})") from None


def read(folder: Path) -> tuple[Sweep, list[Trial]]:
    """Return what was planned. Raises Refused where ``folder`` holds no sweep."""
    try:
        sweep = msgspec.json.decode((folder / _SWEEP).read_bytes(), type=Sweep)
        lines = (folder / _PLAN).read_bytes().splitlines()
        return sweep, [msgspec.json.decode(line, type=Trial) for line in lines]
    except FileNotFoundError:
        raise Refused(
            f"{folder}: this run is no sweep; --resume takes one that has plan.jsonl and sweep.json"
        ) from None
    except (OSError, msgspec.DecodeError) as error:
        raise Refused(f"{folder}: its plan cannot be read ({error})") from None


def is_sweep(folder: Path) -> bool:
    return (folder / _SWEEP).is_file()
