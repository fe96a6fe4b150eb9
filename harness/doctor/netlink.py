"""A few netlink messages in raw bytes: netlink(7), rtnetlink(7), <linux/netfilter/nf_tables.h>, <linux/inet_diag.h>.

The doctor's own, because it has to tell of a kernel on which the libraries give up.
"""

import os
import socket
import struct
from typing import NamedTuple

ROUTE, SOCK_DIAG, NETFILTER = 0, 4, 12
_REQUEST, _ACK, _DUMP, _CREATE = 0x1, 0x4, 0x300, 0x400
_ERROR, _DONE = 2, 3
_NESTED = 0x8000
_HEADER = struct.Struct("=IHHII")
_TIMEOUT_S = 1.0
_MOST_READS = 64


class Message(NamedTuple):
    kind: int
    body: bytes
    acknowledged: bool = True


def attribute(kind: int, value: bytes | str, *, nested: bool = False) -> bytes:
    """Return one attribute, padded; text gets its final zero byte."""
    data = value.encode() + b"\0" if isinstance(value, str) else value
    head = struct.pack("=HH", len(data) + 4, kind | (_NESTED if nested else 0))
    return head + data + bytes(-len(data) % 4)


def nest(kind: int, *inner: bytes) -> bytes:
    """Return an attribute that holds others."""
    return attribute(kind, b"".join(inner), nested=True)


def create(protocol: int, *messages: Message) -> None:
    """Have the kernel create what the messages say, in one batch. Raises OSError with its first refusal."""
    with _open(protocol) as sock:
        flags = _REQUEST | _CREATE
        sock.send(b"".join(_frame(m, flags | (_ACK if m.acknowledged else 0)) for m in messages))
        waiting = sum(message.acknowledged for message in messages)
        for _ in range(_MOST_READS):
            if waiting <= 0:
                return
            for kind, data in _split(sock.recv(65536)):
                if kind == _ERROR:
                    _raise_refusal(data)
                    waiting -= 1
    raise TimeoutError("the kernel gave no answer")


def dump(protocol: int, message: Message) -> list[bytes]:
    """Return the bodies of all that the kernel lists. Raises OSError if it refuses."""
    bodies: list[bytes] = []
    with _open(protocol) as sock:
        sock.send(_frame(message, _REQUEST | _DUMP))
        for _ in range(_MOST_READS):
            for kind, data in _split(sock.recv(65536)):
                if kind == _ERROR:
                    _raise_refusal(data)
                if kind in (_DONE, _ERROR):
                    return bodies
                bodies.append(data)
    raise TimeoutError("the kernel's list has no end")


def _open(protocol: int) -> socket.socket:
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
    sock.settimeout(_TIMEOUT_S)
    return sock


def _frame(message: Message, flags: int) -> bytes:
    return _HEADER.pack(_HEADER.size + len(message.body), message.kind, flags, 1, 0) + message.body


def _split(data: bytes) -> list[tuple[int, bytes]]:
    found, start = [], 0
    while start + _HEADER.size <= len(data):
        length, kind, *_ = _HEADER.unpack_from(data, start)
        if length < _HEADER.size:
            break
        found.append((kind, data[start + _HEADER.size : start + length]))
        start += (length + 3) & ~3
    return found


def _raise_refusal(data: bytes) -> None:
    number = -struct.unpack_from("=i", data)[0]
    if number:
        raise OSError(number, os.strerror(number))
