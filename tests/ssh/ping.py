"""One ICMP echo: ``ping.py ADDRESS SECONDS`` exits with 0 when it was answered.

Needs root and the standard library only, so that it can be sent to a host.
"""

import os
import select
import socket
import struct
import sys
import time

_ECHO = {socket.AF_INET: (socket.IPPROTO_ICMP, 8, 0), socket.AF_INET6: (socket.IPPROTO_ICMPV6, 128, 129)}


def ping(address: str, within_s: float) -> bool:
    """Whether one ICMP echo request is answered."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    protocol, request, reply = _ECHO[family]
    # The kernel fills in the checksum for ICMPv6 alone.
    body = struct.pack("!HH8s", os.getpid() & 0xFFFF, 1, os.urandom(8))
    with socket.socket(family, socket.SOCK_RAW, protocol) as sock:
        try:
            sock.sendto(struct.pack("!BBH", request, 0, _checksum(request, body)) + body, (address, 0))
        except OSError:
            return False
        deadline = time.monotonic() + within_s
        while (left := deadline - time.monotonic()) > 0 and select.select([sock], [], [], left)[0]:
            packet = sock.recv(2048)
            start = 0 if family == socket.AF_INET6 else (packet[0] & 15) * 4
            if packet[start] == reply and packet[start + 4 :] == body:
                return True
    return False


def _checksum(kind: int, body: bytes) -> int:
    """The Internet checksum (RFC 1071) of an echo request with ``body``."""
    total: int = (kind << 8) + sum(struct.unpack(f"!{len(body) // 2}H", body))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


if __name__ == "__main__":
    sys.exit(not ping(sys.argv[1], float(sys.argv[2])))
