"""One run's folder: ``results/<UTC time>-<experiment>/`` with records.jsonl, events.jsonl and machine.json.

Each line is written with one write to a descriptor opened with O_APPEND: it is there whole, or not at all.
"""

import os
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from harness.errors import Unavailable
from harness.verdict.record import Record

_SAME_SECOND = 1000


class Run:
    """A run's folder, open for appending. Use it in a ``with``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._records = _open(folder / "records.jsonl")
        self._events = _open(folder / "events.jsonl")

    @classmethod
    def create(cls, results: Path, experiment: str) -> Self:
        """Make the folder of a new run. Raises Unavailable where ``results`` cannot be written."""
        stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H%M%SZ")
        try:
            results.mkdir(parents=True, exist_ok=True)
            for number in range(1, _SAME_SECOND):
                folder = results / (f"{stamp}-{experiment}" + (f"-{number}" if number > 1 else ""))
                try:
                    folder.mkdir()
                except FileExistsError:
                    continue
                return cls(folder)
        except OSError as error:
            raise _unwritable(results, error) from None
        raise Unavailable(f"{results} has {_SAME_SECOND} runs of this very second; wait one")

    def keep(self, record: msgspec.Struct) -> None:
        """Append a trial's record. Raises Unavailable where the disk takes no more, as do the others."""
        self._append(self._records, record)

    def note(self, name: str, fields: dict[str, Any]) -> None:
        """Append an event. Segments are left out: they are made of the packets, which are kept."""
        if name == "segment":
            return
        self._append(self._events, {"event": name, **fields})

    def describe(self, metadata: dict[str, Any]) -> None:
        """Write what the machine is."""
        text = msgspec.json.format(msgspec.json.encode(metadata), indent=2) + b"\n"
        try:
            (self.folder / "machine.json").write_bytes(text)
        except OSError as error:
            raise _unwritable(self.folder, error) from None

    def _append(self, descriptor: int, line: Any) -> None:
        try:
            os.write(descriptor, msgspec.json.encode(line) + b"\n")
        except OSError as error:
            raise _unwritable(self.folder, error) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        os.close(self._records)
        os.close(self._events)


def _unwritable(folder: Path, error: OSError) -> Unavailable:
    return Unavailable(
        f"{folder} cannot be written ({error.strerror}); make it writable, or name another with --results"
    )


def _open(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)


def records(folder: Path) -> list[Record]:
    """Return the records of a run; a line that was cut short by a kill is passed over."""
    found = []
    for line in (folder / "records.jsonl").read_bytes().split(b"\n"):
        try:
            found.append(msgspec.json.decode(line, type=Record))
        except msgspec.DecodeError:
            continue
    return found
