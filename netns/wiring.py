"""The lab's links, addresses, neighbours and routes as netlink messages: rtnetlink(7), veth(4), <linux/if_link.h>.

Interface indexes and link-layer addresses are ours to choose in a namespace of our own, so that every message is
known before the kernel has answered any, and a host is wired by a single system call.
"""

import errno
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pyroute2.netlink import NETLINK_ROUTE, NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL
from pyroute2.netlink.rtnl import RTM_DELLINK, RTM_GETLINK, RTM_NEWADDR, RTM_NEWLINK, RTM_NEWNEIGH, RTM_NEWROUTE
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.ndmsg import ndmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from netns.errors import LabError
from netns.netlink import Netlink, NetlinkRefusal, Request, encode

IFF_UP = 0x1
_IFF_RUNNING = 0x40
_IFA_F_NODAD = 0x02
_NUD_PERMANENT = 0x80
_RTPROT_STATIC = 4
_IN6_ADDR_GEN_MODE_NONE = 1
_LOOPBACK = 1
# The router's links are of one group, so that a single message takes both down and the kernel waits once, not twice.
_GROUP = 7
_NEW = NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL
_READY_WITHIN_S = 5.0

Message = tuple[Any, int, int]


@dataclass(frozen=True)
class Side:
    """One host and its link to the router. ``addresses`` and ``gateways`` by IP version, 4 and 6.

    ``device``, ``index``: the router's end of the link; the host's end is eth0, ``HOST_INDEX``.
    """

    name: str
    device: str
    index: int
    addresses: dict[int, str]
    gateways: dict[int, str]
    mac: str
    router_mac: str


HOST_DEVICE = "eth0"
HOST_INDEX = 100
_PREFIX = {4: 24, 6: 64}
_FAMILY = {4: socket.AF_INET, 6: socket.AF_INET6}

# 198.18.0.0/15 is for benchmarks (RFC 2544), 2001:db8::/32 for documentation (RFC 3849): neither is routed anywhere.
CLIENT = Side(
    name="client",
    device="r-client",
    index=101,
    addresses={4: "198.18.0.2", 6: "2001:db8:0:1::2"},
    gateways={4: "198.18.0.1", 6: "2001:db8:0:1::1"},
    mac="02:00:00:00:01:02",
    router_mac="02:00:00:00:01:01",
)
SERVER = Side(
    name="server",
    device="r-server",
    index=102,
    addresses={4: "198.19.0.2", 6: "2001:db8:0:2::2"},
    gateways={4: "198.19.0.1", 6: "2001:db8:0:2::1"},
    mac="02:00:00:00:02:02",
    router_mac="02:00:00:00:02:01",
)
SIDES = (CLIENT, SERVER)


def make_links(fds: dict[str, int]) -> Request:
    """For the router: lo up, and a veth pair to each host, whose far end starts in the host's namespace (``fds``)."""
    return encode([_up(_LOOPBACK), *(_veth(side, fds[side.name]) for side in SIDES)])


def wire_router() -> Request:
    """For the router: its addresses and its neighbours, for good. An address is added before its link goes up."""
    messages = []
    for side in SIDES:
        messages.append(_without_link_local(side.index))
        messages += [address(side.index, ipv, side.gateways[ipv]) for ipv in (4, 6)]
        messages.append(_up(side.index))
        messages += [neighbour(side.index, ipv, side.addresses[ipv], side.mac) for ipv in (4, 6)]
    return encode(messages)


def wire_host(side: Side) -> Request:
    """For a host: lo up, its addresses, its one neighbour (the router), and the default routes through it."""
    messages = [_up(_LOOPBACK), _without_link_local(HOST_INDEX)]
    messages += [address(HOST_INDEX, ipv, side.addresses[ipv]) for ipv in (4, 6)]
    messages.append(_up(HOST_INDEX))
    messages += [neighbour(HOST_INDEX, ipv, side.gateways[ipv], side.router_mac) for ipv in (4, 6)]
    messages += [_default_route(ipv, side.gateways[ipv]) for ipv in (4, 6)]
    return encode(messages)


def remove_links() -> Request:
    """For the router: both veth pairs go, and with them their far ends."""
    message = ifinfmsg()
    message["attrs"] = [("IFLA_GROUP", _GROUP)]
    return encode([(message, RTM_DELLINK, NLM_F_ACK)])


def await_running(netlink: Netlink, index: int) -> None:
    """Wait until the link can send: a link gets its queue in a kernel worker, a moment after its far end is up.

    (net/core/link_watch.c; until then its packets are dropped, and a SYN dropped here costs a second.)
    """
    deadline = time.monotonic() + _READY_WITHIN_S
    while not (_flags(netlink, index) or 0) & _IFF_RUNNING:
        if time.monotonic() > deadline:
            raise LabError(f"link {index} is not running {_READY_WITHIN_S:.0f} s after it was set up")
        time.sleep(0.0005)


def await_gone(netlink: Netlink, indexes: Sequence[int]) -> None:
    """Wait until none of the links is there any more."""
    deadline = time.monotonic() + _READY_WITHIN_S
    while any(_flags(netlink, index) is not None for index in indexes):
        if time.monotonic() > deadline:
            raise LabError(f"the lab's links are still there {_READY_WITHIN_S:.0f} s after they were removed")
        time.sleep(0.0005)


def open_route() -> Netlink:
    """A rtnetlink socket of the calling thread's namespace."""
    return Netlink(NETLINK_ROUTE)


# RTM_DELLINK of a group with no links in it.
NO_SUCH_GROUP = frozenset({errno.ENODEV})


def _flags(netlink: Netlink, index: int) -> int | None:
    """A link's flags, or None where there is no such link."""
    message = ifinfmsg()
    message["index"] = index
    try:
        answer = ifinfmsg(netlink.get(message, RTM_GETLINK))
    except NetlinkRefusal as refusal:
        if refusal.errno == errno.ENODEV:
            return None
        raise
    answer.decode()
    return int(answer["flags"])


def _up(index: int) -> Message:
    message = ifinfmsg()
    message["index"] = index
    message["flags"] = message["change"] = IFF_UP
    return message, RTM_NEWLINK, NLM_F_ACK


def _without_link_local(index: int) -> Message:
    """No link-local address: none is needed, and it would bring router solicitations and duplicate detection."""
    none = {"attrs": [("IFLA_INET6_ADDR_GEN_MODE", _IN6_ADDR_GEN_MODE_NONE)]}
    message = ifinfmsg()
    message["index"] = index
    message["attrs"] = [("IFLA_AF_SPEC", {"attrs": [("AF_INET6", none)]})]
    return message, RTM_NEWLINK, NLM_F_ACK


def _veth(side: Side, far_namespace: int) -> Message:
    far = {"index": HOST_INDEX, "attrs": [*_link(HOST_DEVICE, side.mac), ("IFLA_NET_NS_FD", far_namespace)]}
    message = ifinfmsg()
    message["index"] = side.index
    message["attrs"] = [
        *_link(side.device, side.router_mac),
        ("IFLA_GROUP", _GROUP),
        (
            "IFLA_LINKINFO",
            {"attrs": [("IFLA_INFO_KIND", "veth"), ("IFLA_INFO_DATA", {"attrs": [("VETH_INFO_PEER", far)]})]},
        ),
    ]
    return message, RTM_NEWLINK, _NEW


def _link(name: str, mac: str) -> list[tuple[str, Any]]:
    """What both ends of a link have.

    One segment per packet, so that what is captured is what a wire would carry.
    """
    return [
        ("IFLA_IFNAME", name),
        ("IFLA_ADDRESS", mac),
        ("IFLA_GSO_MAX_SEGS", 1),
        ("IFLA_NUM_TX_QUEUES", 1),
        ("IFLA_NUM_RX_QUEUES", 1),
    ]


def address(index: int, ipv: int, address: str) -> Message:
    """Give a device an address, at once: without duplicate address detection."""
    message = ifaddrmsg()
    message["family"] = int(_FAMILY[ipv])
    message["prefixlen"] = _PREFIX[ipv]
    message["index"] = index
    message["flags"] = _IFA_F_NODAD
    message["attrs"] = [("IFA_LOCAL", address), ("IFA_ADDRESS", address), ("IFA_FLAGS", _IFA_F_NODAD)]
    return message, RTM_NEWADDR, _NEW


def neighbour(index: int, ipv: int, address: str, mac: str, state: int = _NUD_PERMANENT) -> Message:
    """Tell a device where a neighbour is, for good unless ``state`` (NUD_*) says otherwise."""
    message = ndmsg()
    message["family"] = int(_FAMILY[ipv])
    message["ifindex"] = index
    message["state"] = state
    message["attrs"] = [("NDA_DST", address), ("NDA_LLADDR", mac)]
    return message, RTM_NEWNEIGH, NLM_F_ACK | NLM_F_CREATE


def link_address(index: int, mac: str) -> Message:
    """Give a device another link-layer address."""
    message = ifinfmsg()
    message["index"] = index
    message["attrs"] = [("IFLA_ADDRESS", mac)]
    return message, RTM_NEWLINK, NLM_F_ACK


def _default_route(ipv: int, gateway: str) -> Message:
    message = rtmsg()
    message["family"] = int(_FAMILY[ipv])
    message["table"] = 254
    message["proto"] = _RTPROT_STATIC
    message["type"] = 1
    message["attrs"] = [("RTA_GATEWAY", gateway), ("RTA_OIF", HOST_INDEX)]
    return message, RTM_NEWROUTE, _NEW
