"""The switches and cables of the test hosts, as netlink messages: bridges in the controller's namespace, a veth pair or
a tap for each port. <linux/if_link.h>, <linux/if_bridge.h>, <linux/if_tun.h>.

A cut sets a switch port's state: frames stop both ways, without a word to either end, whose link stays up.
"""

import fcntl
import os
import socket
import struct
from collections.abc import Sequence
from typing import Any

from pyroute2.netlink import NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST
from pyroute2.netlink.rtnl import RTM_DELLINK, RTM_NEWLINK, RTM_NEWROUTE, RTM_SETLINK
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from netns import wiring
from netns.netlink import Request, encode
from netns.wiring import Message

FORWARDING, DISABLED = 3, 0
_NEW = NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL
_TUNSETIFF, _TUNSETPERSIST = 0x400454CA, 0x400454CB
_IFF_TAP, _IFF_NO_PI = 0x0002, 0x1000
_LOOPBACK = 1
_IFLA_PROTINFO = 12
_NO_LINK_LOCAL = ("IFLA_AF_SPEC", {"attrs": [("AF_INET6", {"attrs": [("IFLA_INET6_ADDR_GEN_MODE", 1)]})]})


def send(messages: Sequence[Message]) -> None:
    """Have the kernel do it, in the calling thread's namespace."""
    netlink = wiring.open_route()
    try:
        netlink.send(encode(messages))
    finally:
        netlink.close()


def _link(**fields: Any) -> ifinfmsg:
    attrs = fields.pop("attrs", [])
    message = ifinfmsg()
    message["attrs"] = attrs
    for field, value in fields.items():
        message[field] = value
    return message


def up(index: int) -> Message:
    return _link(index=index, flags=wiring.IFF_UP, change=wiring.IFF_UP), RTM_NEWLINK, NLM_F_ACK


def loopback_up() -> Message:
    return up(_LOOPBACK)


def bridge(name: str, index: int) -> list[Message]:
    """A switch: up, without an address of its own, without spanning tree and without waiting (forward delay 0)."""
    about = {
        "attrs": [
            ("IFLA_INFO_KIND", "bridge"),
            ("IFLA_INFO_DATA", {"attrs": [("IFLA_BR_FORWARD_DELAY", 0), ("IFLA_BR_MCAST_SNOOPING", 0)]}),
        ]
    }
    made = _link(index=index, attrs=[("IFLA_IFNAME", name), ("IFLA_LINKINFO", about)])
    return [(made, RTM_NEWLINK, _NEW), without_link_local(index), up(index)]


def without_link_local(index: int) -> Message:
    """No link-local address that the kernel makes up: it would come with duplicate detection, which takes a second."""
    return _link(index=index, attrs=[_NO_LINK_LOCAL]), RTM_NEWLINK, NLM_F_ACK


def cable(
    name: str, index: int, switch: int, far_name: str, far_index: int, far_namespace: int, mac: str
) -> list[Message]:
    """A veth pair from a port of ``switch`` to a host's device, whose link-layer address is ``mac``."""
    far_attrs = [("IFLA_IFNAME", far_name), ("IFLA_ADDRESS", mac), ("IFLA_NET_NS_FD", far_namespace)]
    far = {"index": far_index, "attrs": far_attrs}
    about = {
        "attrs": [("IFLA_INFO_KIND", "veth"), ("IFLA_INFO_DATA", {"attrs": [("VETH_INFO_PEER", far)]})],
    }
    attrs = [("IFLA_IFNAME", name), ("IFLA_LINKINFO", about)]
    return [(_link(index=index, attrs=attrs), RTM_NEWLINK, _NEW), *plug(index, switch)]


def plug(index: int, switch: int) -> list[Message]:
    """Make a device a port of ``switch``, and up."""
    attrs = [("IFLA_MASTER", switch)]
    return [
        without_link_local(index),
        (_link(index=index, attrs=attrs), RTM_NEWLINK, NLM_F_ACK),
        up(index),
    ]


def in_frames(index: int) -> Message:
    """Have the kernel cut what it sends through a device to the size of frames: a guest drops what is larger."""
    return _link(index=index, attrs=[("IFLA_GSO_MAX_SEGS", 1)]), RTM_NEWLINK, NLM_F_ACK


def unplug(index: int) -> Message:
    """Remove a device, and its far end with it."""
    return _link(index=index), RTM_DELLINK, NLM_F_ACK


def switch(index: int, state: int) -> None:
    """Have a switch's port forward, or swallow everything.

    The attribute is IFLA_PROTINFO with a bare byte, the older form (net/bridge/br_netlink.c, br_setlink): the newer has
    a flag that pyroute2 does not set.
    """
    body = struct.pack("=BxHiII", socket.AF_BRIDGE, 0, index, 0, 0) + struct.pack("=HHB3x", 5, _IFLA_PROTINFO, state)
    header = struct.pack("=IHHII", 16 + len(body), RTM_SETLINK, NLM_F_REQUEST | NLM_F_ACK, 1, 0)
    netlink = wiring.open_route()
    try:
        netlink.send(Request(header + body, (1,)))
    finally:
        netlink.close()


def address(index: int, address: str) -> Message:
    return wiring.address(index, 6 if ":" in address else 4, address)


def default_route(index: int, gateway: str) -> Message:
    message = rtmsg()
    message["family"] = int(socket.AF_INET6 if ":" in gateway else socket.AF_INET)
    message["table"] = 254
    message["proto"] = 4
    message["type"] = 1
    message["attrs"] = [("RTA_GATEWAY", gateway), ("RTA_OIF", index)]
    return message, RTM_NEWROUTE, _NEW


def index_of(name: str) -> int:
    """The interface index of a device of the calling thread's namespace. Raises OSError."""
    return socket.if_nametoindex(name)


def tap(name: str) -> int:
    """Make a tap that stays when nobody has it open. Return its index."""
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.ioctl(fd, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _IFF_TAP | _IFF_NO_PI))
        fcntl.ioctl(fd, _TUNSETPERSIST, 1)
    finally:
        os.close(fd)
    return socket.if_nametoindex(name)
