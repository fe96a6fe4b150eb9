"""Ethernet frames to TCP segments and ICMP errors: the fields that tell how a connection ends, and no more.

Header layouts: RFC 791 (IPv4), RFC 8200 (IPv6), RFC 9293 3.1 (TCP), RFC 792 and 1191 (ICMP), RFC 4443 (ICMPv6).
Lengths come from the IP header, so a frame cut short by a snap length still says how much payload it carried.
"""

import struct
from functools import lru_cache
from socket import AF_INET, AF_INET6, inet_ntop

import msgspec

# How much of a frame is enough: Ethernet 14 + IPv6 40 + ICMPv6 8 + IPv6 40 + TCP 60, and room for extension headers.
SNAP_LENGTH = 256

_IPV4, _IPV6 = 0x0800, 0x86DD
_ICMP, _TCP, _ICMPV6 = 1, 6, 58
_EXTENSIONS = frozenset({0, 43, 60})  # hop-by-hop, routing, destination options: all share one layout
_FRAGMENT = 44
_MOST_EXTENSIONS = 8

# One set of words for both families: what the router says, not how each protocol numbers it.
_ICMP_ERRORS = {
    (3, 0): "net unreachable",
    (3, 1): "host unreachable",
    (3, 2): "protocol unreachable",
    (3, 3): "port unreachable",
    (3, 4): "needs fragmentation",
    (3, 9): "admin prohibited",
    (3, 10): "admin prohibited",
    (3, 13): "admin prohibited",
    (11, 0): "time exceeded",
}
_ICMPV6_ERRORS = {
    (1, 0): "net unreachable",
    (1, 1): "admin prohibited",
    (1, 3): "host unreachable",
    (1, 4): "port unreachable",
    (1, 5): "admin prohibited",
    (1, 6): "route rejected",
    (2, 0): "needs fragmentation",
    (3, 0): "time exceeded",
}


def _spell(bits: int) -> str:
    letters = "".join(letter for bit, letter in ((2, "S"), (1, "F"), (4, "R"), (8, "P"), (32, "U")) if bits & bit)
    if not bits & 16:
        return letters
    return letters + "A" if letters else "."


_FLAGS = tuple(_spell(bits) for bits in range(256))


class Packet(msgspec.Struct, frozen=True, gc=False):
    """One TCP segment, or one ICMP error about a TCP segment, as seen on one device of the router.

    ``at``: CLOCK_MONOTONIC seconds. ``outgoing``: it left the router through ``device``.
    ``flags``: letters S F R P U, then A; "." is an ACK alone; the ECN bits are left out.
    ``payload``: bytes of data carried. ``window``: as in the header, not scaled (zero is zero either way).
    ``icmp``: what an ICMP error says ("host unreachable", "needs fragmentation", ...), else None. For ICMP the ports,
    ``seq`` and ``payload`` are zero, ``icmp_sport``, ``icmp_dport`` and ``icmp_seq`` are those of the segment that it
    is about, and ``mtu`` is the size it asks for.
    """

    at: float
    device: str
    outgoing: bool
    ipv: int
    src: str
    dst: str
    sport: int = 0
    dport: int = 0
    seq: int = 0
    ack: int = 0
    flags: str = ""
    window: int = 0
    payload: int = 0
    icmp: str | None = None
    icmp_sport: int = 0
    icmp_dport: int = 0
    icmp_seq: int = 0
    mtu: int = 0


def decode(frame: bytes, at: float, device: str, outgoing: bool) -> Packet | None:
    """Return what ``frame`` carries, or None if it is neither a TCP segment nor an ICMP error about one.

    Never raises for a malformed or shortened frame: it is then None.
    """
    try:
        ip = _ip_header(frame)
        if ip is None:
            return None
        ipv, protocol, src, dst, start, length = ip
        if protocol == _TCP:
            sport, dport, seq, ack, offset, bits, window = struct.unpack_from("!HHIIBBH", frame, start)
            payload = length - (offset >> 4) * 4
            if payload < 0:
                return None
            flags = _FLAGS[bits]
            return Packet(at, device, outgoing, ipv, src, dst, sport, dport, seq, ack, flags, window, payload)
        return _icmp_error(frame, start, at, device, outgoing, ipv, src, dst, protocol)
    except (struct.error, IndexError, ValueError):
        return None


def _icmp_error(
    frame: bytes, start: int, at: float, device: str, outgoing: bool, ipv: int, src: str, dst: str, protocol: int
) -> Packet | None:
    kind, code, mtu = struct.unpack_from("!BBxxI", frame, start)
    words = (_ICMP_ERRORS if protocol == _ICMP else _ICMPV6_ERRORS).get((kind, code))
    if words is None:
        return None
    about = _ip_from(frame, start + 8, ipv)
    if about is None or about[1] != _TCP:
        return None
    # Routers need only quote eight bytes (RFC 792): ports and sequence number.
    sport, dport, seq = struct.unpack_from("!HHI", frame, about[4])
    if words != "needs fragmentation":
        mtu = 0
    elif ipv == 4:
        mtu &= 0xFFFF
    return Packet(
        at,
        device,
        outgoing,
        ipv,
        src,
        dst,
        icmp=words,
        icmp_sport=sport,
        icmp_dport=dport,
        icmp_seq=seq,
        mtu=mtu,
    )


def _ip_header(frame: bytes) -> tuple[int, int, str, str, int, int] | None:
    (kind,) = struct.unpack_from("!H", frame, 12)
    if kind == _IPV4:
        return _ip_from(frame, 14, 4)
    if kind == _IPV6:
        return _ip_from(frame, 14, 6)
    return None


def _ip_from(frame: bytes, start: int, ipv: int) -> tuple[int, int, str, str, int, int] | None:
    """Return (version, protocol, source, destination, where the payload starts, its length) of the header there."""
    if frame[start] >> 4 != ipv:
        return None
    if ipv == 4:
        first, total, fragment, protocol = struct.unpack_from("!BxHxxHxB", frame, start)
        if fragment & 0x1FFF or protocol not in (_TCP, _ICMP):
            return None
        size = (first & 15) * 4
        src, dst = _text4(frame[start + 12 : start + 16]), _text4(frame[start + 16 : start + 20])
        return 4, protocol, src, dst, start + size, (total or len(frame) - start) - size
    length, protocol = struct.unpack_from("!HB", frame, start + 4)
    src, dst = _text6(frame[start + 8 : start + 24]), _text6(frame[start + 24 : start + 40])
    # A length of zero is a jumbogram (RFC 2675), which is how Linux's BIG TCP hands large segments over.
    end = start + 40 + length if length else len(frame)
    at = start + 40
    for _ in range(_MOST_EXTENSIONS):
        if protocol in (_TCP, _ICMPV6):
            return 6, protocol, src, dst, at, end - at
        if protocol == _FRAGMENT:
            protocol, offset = struct.unpack_from("!BxH", frame, at)
            if offset & 0xFFF8:
                return None
            at += 8
        elif protocol in _EXTENSIONS:
            protocol, size = frame[at], frame[at + 1]
            at += 8 + size * 8
        else:
            return None
    return None


@lru_cache(4096)
def _text4(address: bytes) -> str:
    return inet_ntop(AF_INET, address)


@lru_cache(4096)
def _text6(address: bytes) -> str:
    return inet_ntop(AF_INET6, address)
