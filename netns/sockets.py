"""Every TCP socket of a namespace and its armed timer: sock_diag(7), <linux/inet_diag.h>, net/ipv4/inet_diag.c.

The request is pyroute2's message; the answers, of which there may be thousands, are unpacked by hand (some 20 times
faster). Times are seconds.
"""

import errno
import socket
import struct
from functools import lru_cache
from typing import NamedTuple

from pyroute2.netlink import NETLINK_SOCK_DIAG, NLM_F_REQUEST
from pyroute2.netlink.diag import SOCK_DIAG_BY_FAMILY, inet_diag_req

from netns.netlink import Netlink, NetlinkRefusal

# <net/tcp_states.h>
_STATES = (
    "",
    "ESTABLISHED",
    "SYN_SENT",
    "SYN_RECV",
    "FIN_WAIT1",
    "FIN_WAIT2",
    "TIME_WAIT",
    "CLOSE",
    "CLOSE_WAIT",
    "LAST_ACK",
    "LISTEN",
    "CLOSING",
    "NEW_SYN_RECV",
)
_ALL_STATES = 0xFFF
# inet_sk_diag_fill: 1 covers retransmission, TLP and RACK; 2 keepalive, SYN-ACK and orphan timers; 4 the zero window.
_TIMERS = ("none", "retransmit", "keepalive", "timewait", "probe")

# struct inet_diag_msg, behind the 16 bytes of the netlink header.
_MESSAGE = struct.Struct("=4B2s2s16s16sIQIIIII")


class SocketState(NamedTuple):
    """One socket. ``family``: 4 or 6. ``timer``: the armed one, or "none"; ``timer_expires_s``: until it fires.

    ``retransmits``: of the armed timer: retransmissions, or probes unanswered. ``rqueue``: bytes not yet read (for a
    listener, connections not yet accepted); ``wqueue``: bytes not yet acknowledged. ``inode``: 0 once the socket
    belongs to no process. ``cookie``: the kernel's own name for it, never used twice.
    """

    family: int
    local: str
    local_port: int
    remote: str
    remote_port: int
    state: str
    timer: str
    timer_expires_s: float
    retransmits: int
    rqueue: int
    wqueue: int
    inode: int
    cookie: int


def lookup(ipv: int, local: tuple[str, int], remote: tuple[str, int]) -> bytes:
    """Return the request for one TCP socket: an encoded message, to be answered with it or with ENOENT.

    Where there is no such connection a listener on the local port may be returned in its place
    (inet_diag_find_one_icsk). struct inet_diag_req_v2, which pyroute2 has for lists only.
    """
    family = socket.AF_INET if ipv == 4 else socket.AF_INET6
    ends = [socket.inet_pton(family, address).ljust(16, b"\0") for address, _ in (local, remote)]
    any_cookie = b"\xff" * 8
    body = struct.pack("=4BI", family, socket.IPPROTO_TCP, 0, 0, _ALL_STATES)
    body += struct.pack("!HH", local[1], remote[1]) + ends[0] + ends[1] + struct.pack("=I", 0) + any_cookie
    return struct.pack("=IHHII", 16 + len(body), SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST, 1, 0) + body


def decode(answer: bytes | memoryview) -> SocketState:
    """Return the socket that one of the kernel's answers tells of; header included."""
    return _state(_MESSAGE.unpack_from(answer, 16))


class Diag:
    """A sock_diag socket of the namespace in which it is opened."""

    def __init__(self) -> None:
        self._netlink = Netlink(NETLINK_SOCK_DIAG)

    def close(self) -> None:
        self._netlink.close()

    def find(self, ipv: int, local: tuple[str, int], remote: tuple[str, int]) -> SocketState | None:
        """The socket of one connection, None where there is none: as quick among thousands as among few."""
        try:
            found = decode(self._netlink.answer(lookup(ipv, local, remote)))
        except NetlinkRefusal as refusal:
            if refusal.errno == errno.ENOENT:
                return None
            raise
        return None if found.state == "LISTEN" else found

    def dump(self, ports: set[int] | None = None) -> list[SocketState]:
        """All TCP sockets, of which either port is in ``ports`` (None: any)."""
        wanted = None if ports is None else {port.to_bytes(2, "big") for port in ports}
        found: list[SocketState] = []
        for family in (socket.AF_INET, socket.AF_INET6):
            request = inet_diag_req()
            request["sdiag_family"] = int(family)
            request["sdiag_protocol"] = socket.IPPROTO_TCP
            request["idiag_states"] = _ALL_STATES
            for answer in self._netlink.dump(request, SOCK_DIAG_BY_FAMILY):
                fields = _MESSAGE.unpack_from(answer, 16)
                if wanted is None or fields[4] in wanted or fields[5] in wanted:
                    found.append(_state(fields))
        return found


# family, state, timer, retransmits, ports, addresses, interface, cookie, expires, queues, uid, inode
_Fields = tuple[int, int, int, int, bytes, bytes, bytes, bytes, int, int, int, int, int, int, int]


def _state(fields: _Fields) -> SocketState:
    family, state, timer, retransmits, sport, dport, source, target, _, cookie, expires, rqueue, wqueue, _, inode = (
        fields
    )
    return SocketState(
        4 if family == socket.AF_INET else 6,
        _address(family, source),
        (sport[0] << 8) | sport[1],
        _address(family, target),
        (dport[0] << 8) | dport[1],
        _STATES[state],
        _TIMERS[timer],
        expires / 1000,
        retransmits,
        rqueue,
        wqueue,
        inode,
        cookie,
    )


@lru_cache(maxsize=256)
def _address(family: int, raw: bytes) -> str:
    return socket.inet_ntop(family, raw[:4] if family == socket.AF_INET else raw)
