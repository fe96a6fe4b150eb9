"""What is seen of a host from within its network namespace: its packet filter, its queues, and whom it reaches."""

import os
import select
import socket
import struct
import time

from pyroute2 import IPRoute
from pyroute2.nftables.main import NFTables

_FAMILIES = {1: "inet", 2: "ip", 3: "arp", 5: "netdev", 7: "bridge", 10: "ip6"}
_ECHO = {socket.AF_INET: (socket.IPPROTO_ICMP, 8, 0), socket.AF_INET6: (socket.IPPROTO_ICMPV6, 128, 129)}


def tables() -> list[str]:
    """Every nftables table: family and name."""
    with NFTables() as nft:
        return sorted(
            f"{_FAMILIES.get(table['nfgen_family'], table['nfgen_family'])} {table.get_attr('NFTA_TABLE_NAME')}"
            for table in nft.get_tables()
        )


def qdiscs() -> list[str]:
    """Every queueing discipline: kind and device."""
    with IPRoute() as route:
        names = {link["index"]: link.get_attr("IFLA_IFNAME") for link in route.get_links()}
        return sorted(f"{qdisc.get_attr('TCA_KIND')} {names[qdisc['index']]}" for qdisc in route.get_qdiscs())


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
    total = (kind << 8) + sum(struct.unpack(f"!{len(body) // 2}H", body))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
