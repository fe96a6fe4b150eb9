"""Frames built by hand, from the header layouts alone, so that the decoder is checked against something else."""

import socket
import struct

MACS = bytes(6) + bytes([2, 0, 0, 0, 0, 1])
SYN, FIN, RST, PSH, ACK = 2, 1, 4, 8, 16


def tcp(sport, dport, seq, ack=0, flags=ACK, window=512, options=b"", data=b""):
    return (
        struct.pack("!HHIIBBHHH", sport, dport, seq, ack, (5 + len(options) // 4) << 4, flags, window, 0, 0)
        + options
        + data
    )


def ipv4(src, dst, body, protocol=6, fragment=0x4000, options=b""):
    size = 20 + len(options)
    head = struct.pack("!BBHHHBBH", 0x40 | size // 4, 0, size + len(body), 7, fragment, 64, protocol, 0)
    return head + socket.inet_aton(src) + socket.inet_aton(dst) + options + body


def ipv6(src, dst, body, protocol=6, length=None):
    head = struct.pack("!IHBB", 6 << 28, len(body) if length is None else length, protocol, 64)
    return head + socket.inet_pton(socket.AF_INET6, src) + socket.inet_pton(socket.AF_INET6, dst) + body


def ethernet(ip):
    return MACS + (b"\x08\x00" if ip[0] >> 4 == 4 else b"\x86\xdd") + ip


def icmp(kind, code, word, quoted):
    return struct.pack("!BBHI", kind, code, 0, word) + quoted
