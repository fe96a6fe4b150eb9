"""AF_PACKET sockets on the router's devices, read without ever waiting, handed over in the order of time.

Facts: packet(7) (sll_pkttype PACKET_OUTGOING, PACKET_STATISTICS), socket(7) and the kernel's
Documentation/networking/timestamping.rst (SO_TIMESTAMPNS: the instant the packet passed the device, CLOCK_REALTIME).
Instants handed over are CLOCK_MONOTONIC seconds, related to CLOCK_REALTIME at each batch. What the kernel dropped for
want of room is counted: a capture with holes says so.
"""

import contextlib
import errno
import socket
import struct
import time
from collections.abc import Callable, Iterable

import msgspec

from harness.observe.packets import SNAP_LENGTH, Packet, decode
from harness.observe.pcap import PcapWriter

_SO_TIMESTAMPNS = 35  # asm-generic/socket.h; the control message of the same number carries a struct timespec
_SOL_PACKET, _PACKET_STATISTICS = 263, 6
_TIMESPEC = struct.Struct("@ll")
_ROOM = socket.CMSG_SPACE(_TIMESPEC.size)
# One batch is bounded, so that a flood cannot keep the loop from everything else.
_MOST_FRAMES, _MOST_ROUNDS = 4096, 64
_MOST_BATCHES = 64
# Two readings of the clocks this close are one instant (ns).
_CLOSE_NS, _MOST_READINGS = 5_000, 5


def _clock_offset() -> int:
    """Return CLOCK_REALTIME - CLOCK_MONOTONIC (ns), between the closest readings of a few: a process that loses its
    processor between the two would move every instant of its batch by as much.
    """
    best, offset = _CLOSE_NS + 1, 0
    for attempt in range(_MOST_READINGS):
        before = time.monotonic_ns()
        real = time.time_ns()
        after = time.monotonic_ns()
        if attempt == 0 or after - before < best:
            best, offset = after - before, real - (before + after) // 2
        if best <= _CLOSE_NS:
            break
    return offset


class _Frame(msgspec.Struct, gc=False):
    real_ns: int
    device: str
    outgoing: bool
    length: int
    data: bytes


class Capture:
    """Reads the given (device, socket) pairs and calls ``on_packet`` with what concerns TCP, oldest first.

    Hook every socket of ``sockets`` to a loop and call ``read_ready`` when one of them can be read. Nothing here
    waits, and ``on_packet`` must not read again. With ``keep`` every frame goes to that file too, as both devices saw
    it. The sockets stay the caller's to close.
    ``lost`` counts what the kernel dropped, ``frames`` what was read.
    """

    def __init__(
        self,
        sockets: Iterable[tuple[str, socket.socket]],
        on_packet: Callable[[Packet], None],
        keep: PcapWriter | None = None,
    ) -> None:
        self.sockets = list(sockets)
        self.frames = 0
        self._on_packet = on_packet
        self._keep = keep
        self._counts = {device: [0, 0] for device, _ in self.sockets}
        self._buffer = bytearray(SNAP_LENGTH)
        for _, sock in self.sockets:
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)

    def filenos(self) -> list[int]:
        """Return the descriptors to watch for reading."""
        return [sock.fileno() for _, sock in self.sockets]

    def read_ready(self, ready: socket.socket | None = None) -> int:
        """Take what is there, on all the sockets whichever is ready, and hand it over; return how many frames.

        All of them, because an arrival and its departure lie on two sockets: reading until none has anything left,
        then sorting, is what puts them in order. A flood is taken in bounded batches; the loop calls again.
        """
        offset = _clock_offset()
        batch: list[_Frame] = []
        for _ in range(_MOST_ROUNDS):
            before = len(batch)
            for device, sock in self.sockets:
                self._drain(device, sock, batch)
            if len(batch) == before or len(batch) >= _MOST_FRAMES:
                break
        batch.sort(key=lambda frame: frame.real_ns)
        for frame in batch:
            if self._keep is not None:
                self._keep.packet(frame.data, frame.real_ns, frame.device, frame.outgoing, frame.length)
            packet = decode(frame.data, (frame.real_ns - offset) / 1e9, frame.device, frame.outgoing)
            if packet is not None:
                self._on_packet(packet)
        if self._keep is not None:
            self._keep.flush()
        self.frames += len(batch)
        return len(batch)

    def drain(self) -> int:
        """Take all that was captured up to now, whatever its amount, but no more than 64 batches; return how many."""
        taken = 0
        for _ in range(_MOST_BATCHES):
            size = self.read_ready()
            taken += size
            if size == 0:
                break
        return taken

    @property
    def lost(self) -> int:
        """How many packets the kernel had no room for, so far (PACKET_STATISTICS)."""
        for device, sock in self.sockets:
            # A socket that is not AF_PACKET keeps no such count.
            with contextlib.suppress(OSError):
                raw = sock.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8)
                # Reading sets the kernel's counts to zero; the first includes the dropped.
                received, dropped = struct.unpack("@II", raw)
                self._counts[device][0] += received
                self._counts[device][1] += dropped
        return sum(dropped for _, dropped in self._counts.values())

    def finish(self) -> int:
        """Read what is left, write the counts to the file; return how many packets were lost in all."""
        self.drain()
        lost = self.lost
        if self._keep is not None:
            for device, (received, dropped) in self._counts.items():
                self._keep.statistics(device, received, dropped)
            self._keep.flush()
        return lost

    def _drain(self, device: str, sock: socket.socket, batch: list[_Frame]) -> None:
        """Read one socket until it has nothing, or its share of the batch is full."""
        share = _MOST_FRAMES // len(self.sockets)
        buffer = self._buffer
        for _ in range(share):
            try:
                # MSG_TRUNC: the length returned is that of the whole frame.
                length, ancillary, _, address = sock.recvmsg_into([buffer], _ROOM, socket.MSG_TRUNC)
            except BlockingIOError:
                return
            except OSError as error:
                # Said once when a device goes down, which is one of the faults; it is read on when it comes up again.
                if error.errno != errno.ENETDOWN:
                    raise
                continue
            outgoing = bool(address) and address[2] == socket.PACKET_OUTGOING
            real_ns = time.time_ns()
            for level, kind, data in ancillary:
                if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS and len(data) == _TIMESPEC.size:
                    seconds, nanoseconds = _TIMESPEC.unpack(data)
                    real_ns = seconds * 1_000_000_000 + nanoseconds
            batch.append(_Frame(real_ns, device, outgoing, length, bytes(buffer[:length])))
