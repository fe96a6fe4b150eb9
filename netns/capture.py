"""Packet sockets on the router's two links: packet(7). Decoding what they read is somebody else's.

Both directions are seen, so a forwarded packet is read twice, and one that the router dropped once. Each packet comes
with the instant at which the kernel saw it (SO_TIMESTAMPNS: CLOCK_REALTIME, struct timespec).
"""

import ctypes
import socket
import struct
from collections.abc import Sequence

from netns.lab import Lab

_ETH_P_ALL = 0x0003
_SO_ATTACH_FILTER = 26
_SO_RCVBUFFORCE = 33
_SO_TIMESTAMPNS = 35
_BUFFER_BYTES = 64 << 20

# Classic BPF, <linux/bpf_common.h>: load a half-word or byte at an offset, jump, return so many bytes of the packet.
_LOAD_HALF, _LOAD_BYTE, _IF_EQUAL, _IF_GREATER, _RETURN = 0x28, 0x30, 0x15, 0x25, 0x06
_ACCEPT, _REFUSE = 0x40000, 0


def open_capture(lab: Lab) -> list[tuple[str, socket.socket]]:
    """Two non-blocking sockets, (device, socket), for r-client and r-server: TCP, ICMP, and ICMPv6 but for neighbour
    discovery, whole frames from the Ethernet header on. The caller closes them."""
    opened: list[tuple[str, socket.socket]] = []
    try:
        for host in (lab.client, lab.server):
            opened.append((host.side.device, lab.router.call(_open, host.side.device)))
    except BaseException:
        for _, opening in opened:
            opening.close()
        raise
    return opened


def _open(device: str) -> socket.socket:
    # Protocol 0: nothing is captured before bind, when the filter is in place.
    opening = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, 0)
    try:
        try:
            opening.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER_BYTES)
        except PermissionError:
            # Only the host's own root may exceed net.core.rmem_max; the kernel then gives as much as that.
            opening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        opening.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        _attach(opening, _PROGRAM)
        opening.bind((device, _ETH_P_ALL))
    except BaseException:
        opening.close()
        raise
    return opening


def _attach(opening: socket.socket, program: Sequence[tuple[int, int, int, int]]) -> None:
    code = b"".join(struct.pack("=HBBI", *instruction) for instruction in program)
    buffer = ctypes.create_string_buffer(code)
    # struct sock_fprog: the count of instructions, and a pointer to them.
    opening.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("@HP", len(program), ctypes.addressof(buffer)))


# (code, jump if true, jump if false, operand); jumps count from the next instruction.
_PROGRAM = (
    (_LOAD_HALF, 0, 0, 12),  # EtherType
    (_IF_EQUAL, 0, 3, 0x0800),  # IPv4, or on to 5
    (_LOAD_BYTE, 0, 0, 23),  # its protocol
    (_IF_EQUAL, 8, 0, socket.IPPROTO_TCP),
    (_IF_EQUAL, 7, 8, socket.IPPROTO_ICMP),
    (_IF_EQUAL, 0, 7, 0x86DD),  # IPv6
    (_LOAD_BYTE, 0, 0, 20),  # its next header
    (_IF_EQUAL, 4, 0, socket.IPPROTO_TCP),
    (_IF_EQUAL, 0, 4, socket.IPPROTO_ICMPV6),
    (_LOAD_BYTE, 0, 0, 54),  # its type: 133 to 137 are neighbour discovery (RFC 4861)
    (_IF_GREATER, 1, 0, 137),
    (_IF_GREATER, 1, 0, 132),
    (_RETURN, 0, 0, _ACCEPT),
    (_RETURN, 0, 0, _REFUSE),
)
