"""The router's packets in a file that Wireshark opens: pcapng, one interface per device, instants in nanoseconds.

Format: draft-ietf-opsawg-pcapng (section header, interface description, enhanced packet and interface statistics
blocks). Instants in the file are CLOCK_REALTIME. Every block is complete when it is written and blocks are only
appended, so the file can be read after the program was killed at any moment.
"""

import os
import struct
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

from harness.observe.packets import SNAP_LENGTH

_SECTION, _INTERFACE, _PACKET, _STATISTICS = 0x0A0D0D0A, 1, 6, 5
_MAGIC = 0x1A2B3C4D
_ETHERNET = 1  # LINKTYPE_ETHERNET
_END, _NAME, _RESOLUTION, _FLAGS, _APPLICATION = 0, 2, 9, 2, 4
_RECEIVED, _DROPPED = 4, 5
_INBOUND, _OUTBOUND = 1, 2
_FLUSH_AT = 1 << 16


class PcapWriter:
    """Appends packets to a new file at ``path``; ``flush`` after each batch is what a kill cannot take away.

    A file that cannot be written any more must not end a measurement: writing stops, and ``failed`` says why.
    Raises OSError if the file cannot be created (it must not exist yet).
    """

    def __init__(self, path: Path, devices: Iterable[str] = (), snap_length: int = SNAP_LENGTH) -> None:
        self.failed: str | None = None
        self.packets = 0
        self._snap_length = snap_length
        self._interfaces: dict[str, int] = {}
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        section = struct.pack("=IHHq", _MAGIC, 1, 0, -1) + _options((_APPLICATION, b"halfopen"))
        self._pending = bytearray(_block(_SECTION, section))
        for device in devices:
            self._interface(device)
        self.flush()

    def packet(self, frame: bytes, real_ns: int, device: str, outgoing: bool, length: int | None = None) -> None:
        """Append ``frame``, seen at CLOCK_REALTIME ``real_ns``; ``length`` is its true length if it was cut short."""
        interface = self._interface(device)
        captured = frame[: self._snap_length]
        high, low = divmod(real_ns, 1 << 32)
        head = struct.pack("=IIIII", interface, high, low, len(captured), max(len(frame), length or 0))
        flags = _options((_FLAGS, struct.pack("=I", _OUTBOUND if outgoing else _INBOUND)))
        self._pending += _block(_PACKET, head + _padded(captured) + flags)
        self.packets += 1
        if len(self._pending) >= _FLUSH_AT:
            self.flush()

    def statistics(self, device: str, received: int, dropped: int) -> None:
        """Note how many packets a device's capture took and how many the kernel dropped for want of room."""
        high, low = divmod(time.time_ns(), 1 << 32)
        head = struct.pack("=III", self._interface(device), high, low)
        counts = ((_RECEIVED, struct.pack("=Q", received)), (_DROPPED, struct.pack("=Q", dropped)))
        self._pending += _block(_STATISTICS, head + _options(*counts))

    def flush(self) -> None:
        """Hand all that is pending to the kernel, whole blocks in one write."""
        while self._pending and self.failed is None:
            try:
                written = os.write(self._fd, self._pending)
            except OSError as error:
                self.failed = error.strerror or str(error)
            else:
                del self._pending[:written]
        self._pending.clear()

    def close(self) -> None:
        """Write what is pending and close the file. Closing twice does no harm."""
        if self._fd >= 0:
            self.flush()
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> "PcapWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _interface(self, device: str) -> int:
        number = self._interfaces.get(device)
        if number is None:
            number = self._interfaces[device] = len(self._interfaces)
            head = struct.pack("=HHI", _ETHERNET, 0, self._snap_length)
            self._pending += _block(_INTERFACE, head + _options((_NAME, device.encode()), (_RESOLUTION, b"\x09")))
        return number


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _options(*options: tuple[int, bytes]) -> bytes:
    body = b"".join(struct.pack("=HH", code, len(value)) + _padded(value) for code, value in options)
    return body + struct.pack("=HH", _END, 0)


def _block(kind: int, body: bytes) -> bytes:
    total = struct.pack("=I", len(body) + 12)
    return struct.pack("=I", kind) + total + body + total
