"""JSON lines over a file descriptor: one object a line, UTF-8."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

_CHUNK = 65536
# json.dumps would make one of these each time.
_ENCODER = json.JSONEncoder(separators=(",", ":"))


class Lines:
    """Collects bytes into lines. ``feed`` yields whole lines, without their newline."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        *whole, self._rest = (self._rest + data).split(b"\n")
        return (line for line in whole if line)


def pack(message: dict[str, Any]) -> bytes:
    return _ENCODER.encode(message).encode() + b"\n"


def unpack(line: bytes) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(line)
    return message


def read(fd: int) -> bytes:
    """Bytes that are there now; b'' at the end of input. Raises BlockingIOError where there is nothing yet."""
    return os.read(fd, _CHUNK)


def write_all(fd: int, data: bytes) -> None:
    """Write everything to a blocking descriptor."""
    while data:
        data = data[os.write(fd, data) :]
