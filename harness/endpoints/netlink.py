"""Netlink by bytes that somebody else encoded: what the controller asks of a host's kernel, and what that answers.

The kernel handles a request within sendmsg(2) (net/netlink/af_netlink.c): the instants before and after it bound the
instant of the change. Stamps are CLOCK_MONOTONIC nanoseconds. Messages: netlink(7), <linux/netlink.h>.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from typing import NamedTuple

from harness.endpoints.loop import now

_SOL_NETLINK, _NETLINK_CAP_ACK, _NETLINK_EXT_ACK = 270, 10, 11
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_NLM_F_MULTI, _NLM_F_CAPPED, _NLM_F_ACK_TLVS = 0x2, 0x100, 0x200
_NLMSGERR_ATTR_MSG = 1
_HEADER = struct.Struct("=IHHII")
_RECEIVE_SIZE = 1 << 18
_TIMEOUT_S = 5.0


class Said(NamedTuple):
    """``errno``: the first refusal's, 0 for none, and ``text`` its words. ``answers``: messages, header included."""

    before: int
    after: int
    errno: int
    text: str
    answers: list[bytes]


class _Message(NamedTuple):
    kind: int
    flags: int
    sequence: int
    data: bytes

    def number(self) -> int:
        """The errno of an NLMSG_ERROR; 0 is an acknowledgement."""
        return -int(struct.unpack_from("=i", self.data, _HEADER.size)[0])


class Netlink:
    """A netlink socket of the caller's network namespace. Raises OSError: no such protocol, no answer in time."""

    def __init__(self, protocol: int) -> None:
        self.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
        for option in (_NETLINK_CAP_ACK, _NETLINK_EXT_ACK):
            try:
                self.sock.setsockopt(_SOL_NETLINK, option, 1)
            except OSError:
                continue  # before Linux 4.12: refusals come without words
        self.sock.bind((0, 0))

    def close(self) -> None:
        self.sock.close()

    def ask(
        self, data: bytes, wait: list[int] | None = None, dump: bool = False, tolerate: list[int] | None = None
    ) -> Said:
        """Send ``data``; wait until the sequence numbers ``wait`` are acknowledged, or for what a question brings
        (``dump``: a list, or a single answer). An errno in ``tolerate`` is no refusal.
        """
        self._drain()
        self.sock.settimeout(_TIMEOUT_S)
        before = now()
        self.sock.send(data)
        after = now()
        waiting = set(wait or ())
        number, text = 0, ""
        answers: list[bytes] = []
        while (waiting or dump) and not number:
            for message in _split(self.sock.recv(_RECEIVE_SIZE)):
                if message.kind == _NLMSG_ERROR:
                    waiting.discard(message.sequence)
                    if not number and message.number() not in (0, *(tolerate or ())):
                        number, text = message.number(), _words(message)
                elif message.kind != _NLMSG_DONE:
                    answers.append(message.data)
                if message.kind in (_NLMSG_ERROR, _NLMSG_DONE) or not message.flags & _NLM_F_MULTI:
                    dump = False
        return Said(before, after, number, text, answers)

    def _drain(self) -> None:
        """Throw away what is left of a request that was refused or took too long."""
        self.sock.setblocking(False)
        try:
            while self.sock.recv(_RECEIVE_SIZE):
                pass
        except BlockingIOError:
            pass


def _split(data: bytes) -> Iterator[_Message]:
    offset = 0
    while offset + _HEADER.size <= len(data):
        length, kind, flags, sequence, _ = _HEADER.unpack_from(data, offset)
        yield _Message(kind, flags, sequence, data[offset : offset + length])
        offset += max(_HEADER.size, (length + 3) & ~3)


def _words(message: _Message) -> str:
    """What the errno is called, and what the kernel adds to it (NLMSGERR_ATTR_MSG)."""
    words = os.strerror(message.number())
    if message.flags & _NLM_F_ACK_TLVS and message.flags & _NLM_F_CAPPED:
        for kind, value in attributes(message.data, 2 * _HEADER.size + 4):
            if kind == _NLMSGERR_ATTR_MSG:
                words += ": " + value.rstrip(b"\0").decode(errors="replace")
    return words


def attributes(data: bytes, offset: int) -> Iterator[tuple[int, bytes]]:
    """Each attribute (type, value) of a message from ``offset`` on: struct nlattr, struct rtattr."""
    while offset + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, offset)
        if length < 4:
            return
        yield kind, data[offset + 4 : offset + length]
        offset += (length + 3) & ~3
