"""One run's folder: ``results/<UTC time>-<experiment>/`` with records.jsonl, events.jsonl and machine.json.

Each line is written with one write to a descriptor opened with O_APPEND, and taken back where the disk had no room for
all of it: it is there whole, or not at all. The writer holds the lock of records.jsonl (lock.py) while it lives.
"""

import contextlib
import os
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from harness.errors import Refused, Unavailable
from harness.observe.packets import Packet
from harness.store import lock, reading
from harness.store.find import RECORDS, is_run
from harness.verdict.record import Record

EVENTS = "events.jsonl"
MACHINE = "machine.json"
_SAME_SECOND = 1000
# What a run that measured nothing may have left; a folder with anything else in it is not removed.
_OWN = (RECORDS, EVENTS, MACHINE, "packets.pcapng", "plan.jsonl", "sweep.json")
_LOOK_BACK = 64 * 1024
_USUAL = {
    field.name: field.default
    for field in msgspec.structs.fields(Packet)
    if field.default is not msgspec.NODEFAULT and field.name not in ("seq", "ack")
}


class Run:
    """A run's folder, open for appending. Use it in a ``with``.

    A new run that ends with an error before a record or an event was kept leaves no folder behind: it never began.
    """

    def __init__(self, folder: Path, new: bool = False) -> None:
        self.folder = folder
        self._new = new
        self._records = _open(folder / RECORDS)
        if not lock.take(self._records):
            os.close(self._records)
            raise Refused(f"{folder} is being written by another run; wait until that has ended")
        self._events = _open(folder / EVENTS)

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
                return cls(folder, new=True)
        except OSError as error:
            raise _unwritable(results, error) from None
        raise Unavailable(f"{results} has {_SAME_SECOND} runs of this very second; wait one")

    @classmethod
    def reopen(cls, folder: Path) -> Self:
        """Go on with a run that ended early. What a kill left of a last line is dropped; every whole line stays.

        Raises Refused where it is no run or is being written, Unavailable where it cannot be written.
        """
        if not is_run(folder):
            raise Refused(f"{folder} is no run: there is no {RECORDS} in it")
        try:
            run = cls(folder)
        except OSError as error:
            raise _unwritable(folder, error) from None
        try:
            for path in (folder / RECORDS, folder / EVENTS):
                _mend(path)
        except OSError as error:
            run.__exit__(None, None, None)
            raise _unwritable(folder, error) from None
        return run

    def keep(self, record: msgspec.Struct) -> None:
        """Append a trial's record. Raises Unavailable where the disk takes no more, as do the others."""
        self._append(self._records, record)

    def note(self, name: str, fields: dict[str, Any]) -> None:
        """Append an event. Segments are left out: they are made of the packets, which are kept.

        Of a packet, what has its default value is left out: most events are packets, and most fields are empty.
        """
        if name == "segment":
            return
        packet = fields.get("packet")
        if isinstance(packet, Packet):
            fields = {**fields, "packet": _brief(packet)}
        self._append(self._events, {"event": name, **fields})

    def describe(self, metadata: dict[str, Any]) -> None:
        """Write what the machine is."""
        text = msgspec.json.format(msgspec.json.encode(metadata), indent=2) + b"\n"
        try:
            (self.folder / MACHINE).write_bytes(text)
        except OSError as error:
            raise _unwritable(self.folder, error) from None

    def _append(self, descriptor: int, line: Any) -> None:
        text = msgspec.json.encode(line) + b"\n"
        written = 0
        try:
            while written < len(text):
                written += os.write(descriptor, text[written:])
        except OSError as error:
            if written:
                with contextlib.suppress(OSError):
                    os.ftruncate(descriptor, os.fstat(descriptor).st_size - written)
            raise _unwritable(self.folder, error) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        nothing = not (os.fstat(self._records).st_size or os.fstat(self._events).st_size)
        if kind is not None and self._new and nothing:
            _remove(self.folder)
        os.close(self._records)
        os.close(self._events)


def records(folder: Path) -> list[Record]:
    """Return the records of a run's trials; a line that was cut short by a kill is passed over."""
    return reading.parse((folder / RECORDS).read_bytes()).records


def _brief(packet: Packet) -> dict[str, Any]:
    return {
        name: value
        for name in packet.__struct_fields__
        if (value := getattr(packet, name)) != _USUAL.get(name, msgspec.UNSET)
    }


def _mend(path: Path) -> None:
    """Make the file end with a whole line: end the last one where it is all there, else drop what there is of it."""
    with path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        tail = b""
        while b"\n" not in tail and len(tail) < size:
            start = max(0, size - len(tail) - _LOOK_BACK)
            file.seek(start)
            tail = file.read(size - start)
        rest = tail.rpartition(b"\n")[2]
        if not rest:
            return
        try:
            msgspec.json.decode(rest)
        except (msgspec.DecodeError, UnicodeDecodeError):
            file.truncate(size - len(rest))
        else:
            file.seek(0, os.SEEK_END)
            file.write(b"\n")


def _remove(folder: Path) -> None:
    with contextlib.suppress(OSError):
        for name in _OWN:
            (folder / name).unlink(missing_ok=True)
        folder.rmdir()


def _unwritable(folder: Path, error: OSError) -> Unavailable:
    return Unavailable(
        f"{folder} cannot be written ({error.strerror}); make it writable, or name another with --results"
    )


def _open(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
