"""Which night is the last good one: ``night.json`` in a run's folder says what became of it as a night.

Good is a night that exited 0: with one to compare with, nothing got worse; without, everything was proved and as
predicted. A night that was cut short, or is not good, is never what a later one is compared with.
"""

from pathlib import Path
from typing import Any

import msgspec

from harness.errors import Unavailable
from harness.store.find import runs

_NIGHT = "night.json"


class Night(msgspec.Struct, frozen=True, kw_only=True):
    """``compared_with``: the name of the run; None for the first of its class. ``missing``: trials without a record.
    ``unmeasured``: cells in which every attempt of every trial came too late to count.
    """

    sweep: str
    machine_class: dict[str, Any]
    exit_code: int
    compared_with: str | None = None
    regressions: int = 0
    missing: int = 0
    unmeasured: int = 0

    @property
    def good(self) -> bool:
        return self.exit_code == 0


def mark(folder: Path, night: Night) -> None:
    """Say in the run's folder what became of it. Raises Unavailable."""
    text = msgspec.json.format(msgspec.json.encode({**msgspec.to_builtins(night), "good": night.good}), indent=2)
    try:
        unfinished = folder / f".{_NIGHT}"
        unfinished.write_bytes(text + b"\n")
        unfinished.replace(folder / _NIGHT)
    except OSError as error:
        raise Unavailable(f"{folder} cannot be written ({error.strerror})") from None


def night_of(folder: Path) -> Night | None:
    """Return what became of a run as a night; None where it was none, or its end is not known."""
    try:
        return msgspec.json.decode((folder / _NIGHT).read_bytes(), type=Night)
    except (OSError, msgspec.MsgspecError):
        return None


def last_good(results: Path, sweep: str, machine_class: dict[str, Any], but: Path) -> Path | None:
    """Return the newest good night of this sweep and class under ``results``, other than the run in ``but``."""
    for folder in reversed(runs(results)):
        night = night_of(folder) if folder.resolve() != but.resolve() else None
        if night and night.good and night.sweep == sweep and night.machine_class == machine_class:
            return folder
    return None
