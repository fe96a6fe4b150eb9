"""Netlink, many messages in one system call. The messages are pyroute2's; only the socket is our own.

Why not pyroute2's sockets: each brings an event loop, waits for each answer in turn, and stamps nothing. The kernel
handles a netlink request within sendmsg(2): when the call returns, the change is in force and the answers are queued
(net/netlink/af_netlink.c, netlink_rcv_skb), so the instants before and after it bound the instant of the change.
Stamps are CLOCK_MONOTONIC nanoseconds.
"""

import errno
import os
import socket
import struct
import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

from pyroute2.netlink import NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR

from netns.errors import LabError

_SOL_NETLINK = 270
_NETLINK_CAP_ACK = 10
_NETLINK_EXT_ACK = 11
_NLM_F_CAPPED = 0x100
_NLM_F_ACK_TLVS = 0x200
_NLMSGERR_ATTR_MSG = 1
_HEADER = struct.Struct("=IHHII")
_TIMEOUT_S = 5.0
_RECEIVE_SIZE = 1 << 18


class NetlinkRefusal(LabError):
    """The kernel refused a request; ``errno`` says how."""

    def __init__(self, sentence: str, number: int) -> None:
        super().__init__(sentence)
        self.errno = number


class Stamps(NamedTuple):
    """CLOCK_MONOTONIC, nanoseconds, right before and right after the kernel did what it was asked."""

    before_ns: int
    after_ns: int


class Request(NamedTuple):
    """One or more encoded messages, to be sent together. ``sequences``: those that the kernel acknowledges."""

    data: bytes
    sequences: tuple[int, ...]


def encode(messages: Sequence[tuple[Any, int, int]]) -> Request:
    """Encode (pyroute2 message, type, flags), each numbered; the flag NLM_F_ACK is the caller's to give."""
    parts, acknowledged = [], []
    for sequence, (message, kind, flags) in enumerate(messages, start=1):
        header = message["header"]
        header["type"] = kind
        header["flags"] = flags | NLM_F_REQUEST
        header["sequence_number"] = sequence
        message.reset()
        message.encode()
        data = bytes(message.data)
        parts.append(data + b"\0" * (-len(data) % 4))
        if flags & NLM_F_ACK:
            acknowledged.append(sequence)
    return Request(b"".join(parts), tuple(acknowledged))


class Kernel(Protocol):
    """Whoever has a kernel do what requests say: a netlink socket here, or somebody on another machine."""

    def send(self, request: Request, tolerate: frozenset[int] = frozenset()) -> Stamps: ...

    def dump(self, message: Any, kind: int, flags: int = NLM_F_DUMP) -> Iterator[bytes | memoryview]: ...

    def close(self) -> None: ...


class Netlink:
    """A netlink socket of the network namespace in which it is opened; it stays there."""

    def __init__(self, protocol: int) -> None:
        try:
            self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
        except OSError as error:
            raise LabError(f"the kernel has no netlink protocol {protocol} ({error.strerror})") from error
        self._socket.settimeout(_TIMEOUT_S)
        self._socket.setsockopt(_SOL_NETLINK, _NETLINK_CAP_ACK, 1)
        self._socket.setsockopt(_SOL_NETLINK, _NETLINK_EXT_ACK, 1)
        self._socket.bind((0, 0))

    def close(self) -> None:
        self._socket.close()

    def send(self, request: Request, tolerate: frozenset[int] = frozenset()) -> Stamps:
        """Have the kernel do it all. Raises NetlinkRefusal: its first refusal whose errno is not in ``tolerate``."""
        before = time.monotonic_ns()
        self._socket.send(request.data)
        after = time.monotonic_ns()
        waiting = set(request.sequences)
        refusal: NetlinkRefusal | None = None
        while waiting:
            data = self._socket.recv(_RECEIVE_SIZE)
            for kind, flags, sequence, start, end in _split(data):
                if kind != NLMSG_ERROR:
                    continue
                refusal = refusal or _refusal(data, flags, start, end, tolerate)
                waiting.discard(sequence)
            if refusal:
                self._drain()
                raise refusal
        return Stamps(before, after)

    def dump(self, message: Any, kind: int, flags: int = NLM_F_DUMP) -> Iterator[memoryview]:
        """Ask for a list; yield each message's bytes, header included. Raises NetlinkRefusal."""
        self._socket.send(encode([(message, kind, flags)]).data)
        while True:
            data = self._socket.recv(_RECEIVE_SIZE)
            view = memoryview(data)
            for answer, answer_flags, _, start, end in _split(data):
                if answer == NLMSG_DONE:
                    return
                if answer == NLMSG_ERROR:
                    refusal = _refusal(data, answer_flags, start, end, frozenset())
                    if refusal:
                        raise refusal
                    return
                yield view[start:end]

    def answer(self, question: bytes) -> bytes:
        """Send an encoded question about one thing; return its message's bytes. Raises NetlinkRefusal."""
        self._socket.send(question)
        data = self._socket.recv(_RECEIVE_SIZE)
        for kind, flags, _, start, end in _split(data):
            if kind == NLMSG_ERROR and (refusal := _refusal(data, flags, start, end, frozenset())):
                raise refusal
            return data[start:end]
        raise NetlinkRefusal("the kernel gave no answer", errno.ENODATA)

    def get(self, message: Any, kind: int) -> bytes:
        """Ask for one thing; return its message's bytes. Raises NetlinkRefusal."""
        for answer in self.dump(message, kind, 0):
            return bytes(answer)
        raise NetlinkRefusal("the kernel gave no answer", errno.ENODATA)

    def _drain(self) -> None:
        """Throw away the answers to the rest of a refused request."""
        self._socket.setblocking(False)
        try:
            while self._socket.recv(_RECEIVE_SIZE):
                pass
        except BlockingIOError:
            pass
        finally:
            self._socket.settimeout(_TIMEOUT_S)


def _split(data: bytes) -> Iterator[tuple[int, int, int, int, int]]:
    """Each message in ``data``: type, flags, sequence number, where it starts and ends."""
    offset = 0
    while offset + _HEADER.size <= len(data):
        length, kind, flags, sequence, _ = _HEADER.unpack_from(data, offset)
        yield kind, flags, sequence, offset, offset + length
        offset += (length + 3) & ~3


def _refusal(data: bytes, flags: int, start: int, end: int, tolerate: frozenset[int]) -> NetlinkRefusal | None:
    """The refusal in an NLMSG_ERROR message, or None for an acknowledgement (error 0) or what is tolerated."""
    number = -int(struct.unpack_from("=i", data, start + _HEADER.size)[0])
    if number == 0 or number in tolerate:
        return None
    words = os.strerror(number)
    if flags & _NLM_F_ACK_TLVS and flags & _NLM_F_CAPPED:
        offset = start + 2 * _HEADER.size + 4
        while offset + 4 <= end:
            length, kind = struct.unpack_from("=HH", data, offset)
            if length < 4:
                break
            if kind == _NLMSGERR_ATTR_MSG:
                words += ": " + data[offset + 4 : offset + length].rstrip(b"\0").decode(errors="replace")
            offset += (length + 3) & ~3
    return NetlinkRefusal(f"the kernel refused it: {words}", number)
