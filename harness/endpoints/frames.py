"""Frames off packet sockets, each with the instant at which the kernel saw it.

Facts: packet(7) (PACKET_OUTGOING, PACKET_STATISTICS), socket(7) and the kernel's
Documentation/networking/timestamping.rst (SO_TIMESTAMPNS: CLOCK_REALTIME, struct timespec). Instants are nanoseconds.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import struct
import time
from collections.abc import Iterator
from typing import NamedTuple

SO_TIMESTAMPNS = 35  # asm-generic/socket.h; the control message of the same number carries a struct timespec
_SOL_PACKET, _PACKET_STATISTICS = 263, 6
_TIMESPEC = struct.Struct("@ll")
_ROOM = socket.CMSG_SPACE(_TIMESPEC.size)
# Two readings of the clocks this close are one instant (ns).
_CLOSE_NS, _MOST_READINGS = 5_000, 5


class Frame(NamedTuple):
    """``length``: of the whole frame, of which ``data`` may be the beginning; ``protocol``: its EtherType."""

    real_ns: int
    outgoing: bool
    length: int
    protocol: int
    data: bytes


def clock_offset() -> int:
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


def read(sock: socket.socket, buffer: bytearray, most: int) -> Iterator[Frame]:
    """What a non-blocking packet socket holds, ``most`` frames of it, oldest first."""
    for _ in range(most):
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
            if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS and len(data) == _TIMESPEC.size:
                seconds, nanoseconds = _TIMESPEC.unpack(data)
                real_ns = seconds * 1_000_000_000 + nanoseconds
        yield Frame(real_ns, outgoing, length, address[1] if address else 0, bytes(buffer[:length]))


def statistics(sock: socket.socket) -> tuple[int, int]:
    """How many packets came since this was last asked, those lost included, and how many were lost for want of room."""
    with contextlib.suppress(OSError):  # one that is not AF_PACKET keeps no such count
        received, lost = struct.unpack("@II", sock.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8))
        return received, lost
    return 0, 0
