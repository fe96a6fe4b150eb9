"""What is tried in private namespaces: the links, the packet filter, and the sockets' eyes.

Message layouts: <linux/if_link.h>, <linux/pkt_sched.h>, <linux/netfilter/nfnetlink.h>, nf_tables.h, inet_diag.h.
"""

import fcntl
import socket
import struct

from harness.doctor import netlink
from harness.doctor.capability import Finding
from harness.doctor.child import Findings, tried
from harness.doctor.netlink import Message, attribute, nest
from netns import syscalls
from netns.enter import current, enter
from netns.errors import Forbidden, LabError

_SIOCSIFFLAGS, _IFF_UP = 0x8914, 0x1
_NEWLINK, _NEWQDISC = 16, 36
_NFT, _CTNETLINK = 10 << 8, 1 << 8
_SO_TIMESTAMPNS = 35
_TCP_REPAIR = 19


def findings() -> Findings:
    """Enter private namespaces, then try what they offer. For a child process only."""
    entered = tried(_enter)
    yield "private namespaces", entered
    for name, check in _CHECKS.items():
        finding = tried(check) if entered.present else Finding(None, "cannot be tried without private namespaces")
        yield name, finding
    if entered.present and (inside := current()):
        # PID 1 of the private namespace ends with this child anyhow; waited for here, it is not even left a zombie.
        inside.anchor.weigh()


def _enter() -> str | Finding:
    again = current() is not None
    try:
        entered = enter()
    except Forbidden as error:
        return Finding(False, str(error), error.needs)
    except LabError as error:
        return Finding(False, str(error))
    if again:
        # The program is inside already: a network namespace of the child's own keeps the lab's router untouched.
        syscalls.unshare(syscalls.CLONE_NEWNET)
    _loopback_up()
    return (
        "user, mount, PID, network" if entered.user_namespace else "mount, PID, network (root without user namespace)"
    )


def _loopback_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", _IFF_UP))


def _veth() -> str:
    peer = struct.pack("=BxHiII", 0, 0, 0, 0, 0) + attribute(3, "doctor-b")
    info = nest(18, attribute(1, "veth"), nest(2, attribute(1, peer)))
    body = struct.pack("=BxHiII", 0, 0, 0, 0, 0) + attribute(3, "doctor-a") + info
    netlink.create(netlink.ROUTE, Message(_NEWLINK, body))
    return "a pair was made"


def _netem() -> str:
    options = struct.pack("=6I", 1000, 1000, 0, 0, 0, 0)
    body = struct.pack("=BxxxiIII", 0, socket.if_nametoindex("lo"), 0, 0xFFFFFFFF, 0)
    netlink.create(netlink.ROUTE, Message(_NEWQDISC, body + attribute(1, "netem") + attribute(2, options)))
    return "a queue was set up"


def _nft(family: int, *messages: tuple[int, bytes]) -> None:
    """Send one nftables transaction."""
    mark = struct.pack("=BB", 0, 0) + struct.pack("!H", _NFT >> 8)
    head = struct.pack("=BBH", family, 0, 0)
    changes = (Message(_NFT | kind, head + body) for kind, body in messages)
    netlink.create(netlink.NETFILTER, Message(16, mark, False), *changes, Message(17, mark, False))


def _chain(table: str, kind: str, hook: int, priority: int) -> tuple[int, bytes]:
    where = nest(4, attribute(1, struct.pack("!I", hook)), attribute(2, struct.pack("!i", priority)))
    return 3, attribute(1, table) + attribute(3, "chain") + where + attribute(7, kind)


def _nftables() -> str:
    _nft(1, (0, attribute(1, "doctor")), _chain("doctor", "filter", 2, 0))
    return "a table and a forward chain were made"


def _conntrack() -> str:
    masquerade = nest(1, attribute(1, "masq"), nest(2))
    rule = attribute(1, "nat") + attribute(2, "chain") + nest(4, masquerade)
    _nft(2, (0, attribute(1, "nat")), _chain("nat", "nat", 4, 100), (6, rule))
    netlink.dump(netlink.NETFILTER, Message(_CTNETLINK | 1, struct.pack("=BBH", socket.AF_INET, 0, 0)))
    return "a masquerade rule was made, the table listed"


def _sock_diag() -> str | Finding:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = struct.pack("!H", server.getsockname()[1])
        request = struct.pack("=BBBxI48x", socket.AF_INET, socket.IPPROTO_TCP, 0, 0xFFF)
        found = netlink.dump(netlink.SOCK_DIAG, Message(20, request))
        if any(body[4:6] == port for body in found):
            return "a listening socket was found"
    return Finding(False, "the kernel does not list a socket that is there")


def _af_packet() -> str | Finding:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sock:
        sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        sock.bind(("lo", 3))
        sock.settimeout(1)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"doctor", ("127.0.0.1", 9))
        _, ancillary, _, _ = sock.recvmsg(256, 64)
    return "a packet was seen" + (", with the kernel's time stamp" if ancillary else ", without a time stamp")


def _tcp_repair() -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, _TCP_REPAIR, 1)
        sock.setsockopt(socket.IPPROTO_TCP, _TCP_REPAIR, -1)
    return "was switched on"


def _ipv6() -> str:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as server:
        socket.create_connection(server.getsockname()[:2], timeout=1).close()
    return "a connection over ::1"


_CHECKS = {
    "veth": _veth,
    "nftables": _nftables,
    "sock_diag": _sock_diag,
    "AF_PACKET": _af_packet,
    "IPv6": _ipv6,
    "conntrack": _conntrack,
    "TCP_REPAIR": _tcp_repair,
    "netem": _netem,
}
