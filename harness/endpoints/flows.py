"""Which packets are about a watched TCP port: TCP from or to it, and ICMP errors that quote such a packet.

The kernel sorts out most (classic BPF, <linux/bpf_common.h>, Documentation/networking/filter.rst), so that a host's
other traffic, above all the SSH connection over which the capture is told, costs nothing and never feeds itself.
"""

from __future__ import annotations

import ctypes
import socket
import struct
from collections.abc import Collection
from typing import TYPE_CHECKING

_SO_ATTACH_FILTER = 26
_LOAD_HALF, _LOAD_BYTE, _LOAD_HALF_AT = 0x28, 0x30, 0x48
_LOAD_HEADER_LENGTH, _SET_INDEX = 0xB1, 0x01
_IF_EQUAL, _IF_BITS, _IF_GREATER, _JUMP, _RETURN = 0x15, 0x45, 0x25, 0x05, 0x06
_PROTOCOL = 0xFFFFF000  # SKF_AD_OFF + SKF_AD_PROTOCOL: the EtherType, also on devices whose frames have none
_ACCEPT, _REFUSE = 0x40000, 0
_MOST_PORTS = 500  # in a program of at most 4096 instructions; of more, all TCP is looked at here

_IP4, _IP6 = 0x0800, 0x86DD
_TCP, _ICMP, _ICMP6 = socket.IPPROTO_TCP, socket.IPPROTO_ICMP, socket.IPPROTO_ICMPV6
# Destination unreachable, source quench, redirect, time exceeded, parameter problem (RFC 792).
_ICMP_ERRORS = (3, 4, 5, 11, 12)
_ICMP6_NOT_ERRORS = 128  # RFC 4443: those below are errors

if TYPE_CHECKING:  # not before Python 3.9 at run time
    # (code, jump if true, jump if false, operand); jumps count from the next instruction
    Instruction = tuple[int, int, int, int]


def program(ports: Collection[int], link: int) -> list[Instruction]:
    """The kernel's filter for frames with ``link`` bytes before the IP header."""
    if not ports:
        return [(_RETURN, 0, 0, _REFUSE)]
    accept = [(_RETURN, 0, 0, _ACCEPT)]
    refuse = [(_RETURN, 0, 0, _REFUSE)]
    wanted = [] if len(ports) > _MOST_PORTS else sorted(ports)

    def either(source: Instruction, target: Instruction) -> list[Instruction]:
        """Accept where the half-word at ``source`` or at ``target`` is a port."""
        if not wanted:
            return accept
        tests = [each for port in wanted for each in ((_IF_EQUAL, 0, 1, port), *accept)]
        return [source, *tests, target, *tests, *refuse]

    ip4 = [
        (_LOAD_BYTE, 0, 0, link + 9),
        (_IF_EQUAL, 0, 1, _ICMP),
        *accept,
        (_IF_EQUAL, 1, 0, _TCP),
        *refuse,
        (_LOAD_HALF, 0, 0, link + 6),
        (_IF_BITS, 0, 1, 0x1FFF),  # a later fragment: it has no ports
        *refuse,
        (_LOAD_HEADER_LENGTH, 0, 0, link),
        *either((_LOAD_HALF_AT, 0, 0, link), (_LOAD_HALF_AT, 0, 0, link + 2)),
    ]
    ip6 = [
        (_LOAD_BYTE, 0, 0, link + 6),
        (_IF_EQUAL, 0, 3, _ICMP6),
        (_LOAD_BYTE, 0, 0, link + 40),
        (_IF_GREATER, 1, 0, _ICMP6_NOT_ERRORS - 1),
        *accept,
        *_unless_tcp6(link),
        *either((_LOAD_HALF, 0, 0, link + 40), (_LOAD_HALF, 0, 0, link + 42)),
    ]
    return [
        (_LOAD_HALF, 0, 0, _PROTOCOL),
        (_IF_EQUAL, 1, 0, _IP4),
        (_JUMP, 0, 0, len(ip4)),
        *ip4,
        (_IF_EQUAL, 1, 0, _IP6),
        *refuse,
        *ip6,
    ]


def _unless_tcp6(link: int) -> list[Instruction]:
    return [(_LOAD_BYTE, 0, 0, link + 6), (_IF_EQUAL, 1, 0, _TCP), (_RETURN, 0, 0, _REFUSE)]


def attach(sock: socket.socket, filter_: list[Instruction]) -> None:
    """Put the filter on a socket, in the place of an older one. Raises OSError."""
    buffer = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *instruction) for instruction in filter_))
    # struct sock_fprog: the count of instructions, and a pointer to them.
    sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("@HP", len(filter_), ctypes.addressof(buffer)))


def concerns(packet: bytes, protocol: int, ports: Collection[int]) -> bool:
    """Whether an IP packet (``protocol``: its EtherType) is about one of ``ports``."""
    found = _transport(packet, protocol)
    if found is None:
        return False
    kind, segment = found
    if kind == _TCP:
        return _has_port(segment, ports)
    error = segment[:1] and (segment[0] in _ICMP_ERRORS if kind == _ICMP else segment[0] < _ICMP6_NOT_ERRORS)
    if kind not in (_ICMP, _ICMP6) or not error:
        return False
    quoted = _transport(segment[8:], protocol)
    return quoted is not None and quoted[0] == _TCP and _has_port(quoted[1], ports)


def _transport(packet: bytes, protocol: int) -> tuple[int, bytes] | None:
    """The number of the protocol above IP, and what it carries; None where that is not to be found."""
    if protocol == _IP4 and len(packet) >= 20:
        length = 4 * (packet[0] & 15)
        return None if packet[6] & 0x1F or packet[7] else (packet[9], packet[length:])
    if protocol == _IP6 and len(packet) >= 40:
        return packet[6], packet[40:]
    return None


def _has_port(segment: bytes, ports: Collection[int]) -> bool:
    return len(segment) >= 4 and (
        int.from_bytes(segment[:2], "big") in ports or int.from_bytes(segment[2:4], "big") in ports
    )
