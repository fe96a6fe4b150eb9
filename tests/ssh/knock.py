"""Knocks at a host's TCP with the very addresses and ports of a connection: python3 knock.py ADDRESS FROM_PORT TO_PORT.

Sends one SYN past this host's own TCP, from the address that it has toward ADDRESS. Whatever the other host's TCP knows
of that connection, it answers (RFC 9293 3.10.7, RFC 5961 4.2): exit code 0. Silence for a moment means that packets of
this connection vanish: exit code 1.
"""

import select
import socket
import struct
import sys
import time

_WITHIN_S = 0.3
_SYN = 2
_TCP = 6


def _checksum(data: bytes) -> int:
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def syn(source: bytes, target: bytes, here: int, there: int) -> bytes:
    """Return a SYN without options, with its checksum over the pseudo header (RFC 9293 3.1)."""
    header = struct.pack(
        "!HHIIBBHHH", here, there, int(time.monotonic() * 1e6) & 0xFFFFFFFF, 0, 5 << 4, _SYN, 1024, 0, 0
    )
    pseudo = source + target + struct.pack("!II", len(header), _TCP)
    return header[:16] + struct.pack("!H", _checksum(pseudo + header)) + header[18:]


def main(address: str, here: int, there: int) -> int:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as asked:
        asked.connect((address, 9))
        own = asked.getsockname()[0]
    with socket.socket(family, socket.SOCK_RAW, _TCP) as raw:
        raw.connect((address, 0))
        raw.send(syn(socket.inet_pton(family, own), socket.inet_pton(family, address), here, there))
        until = time.monotonic() + _WITHIN_S
        while (left := until - time.monotonic()) > 0:
            if select.select([raw], [], [], left)[0]:
                packet = raw.recv(65536)
                start = (packet[0] & 15) * 4 if family == socket.AF_INET else 0  # a raw IPv4 socket reads the IP header
                if struct.unpack_from("!HH", packet, start) == (there, here):
                    return 0
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
