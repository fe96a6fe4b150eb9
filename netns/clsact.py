"""The third way to put a packet fault at a host's edge: tc-u32(8) filters that drop, under a clsact qdisc (tc(8)).

A device has one clsact qdisc at most, and it may be somebody else's: ``make`` puts it, and fails where there is one;
``drop`` puts filters under it, each fault with a priority of its own. Facts: net/sched/cls_u32.c, sch_ingress.c.
"""

import struct

from pyroute2.netlink import NETLINK_ROUTE, NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL
from pyroute2.netlink.rtnl import RTM_DELQDISC, RTM_DELTFILTER, RTM_NEWQDISC, RTM_NEWTFILTER
from pyroute2.netlink.rtnl.tcmsg import cls_u32, tcmsg

from netns.edge import ETH_P, Act, Ends, Loss
from netns.netlink import encode

_CLSACT, _CLSACT_PARENT = 0xFFFF_0000, 0xFFFF_FFF1
_INGRESS, _EGRESS = 0xFFFF_FFF2, 0xFFFF_FFF3
_TCP = 6
# Where a packet's protocol stands: the word of the IP header, what of it is looked at, and TCP's number there.
_PROTOCOL = {4: (8, 0x00FF_0000, _TCP << 16), 6: (4, 0x0000_FF00, _TCP << 8)}
_ADDRESSES_AT = {4: 12, 6: 8}
# IPv4 with options and IPv6 with extension headers carry their ports elsewhere; TCP's own packets have neither.
_PORTS_AT = {4: 20, 6: 40}


def make(index: int) -> Act:
    """The qdisc, on the device with that index; undoing it takes every filter under it along."""
    put = _message(index, _CLSACT_PARENT, _CLSACT)
    put["attrs"] = [("TCA_KIND", "clsact")]
    gone = _message(index, _CLSACT_PARENT, _CLSACT)
    return Act(
        NETLINK_ROUTE,
        encode([(put, RTM_NEWQDISC, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL)]),
        encode([(gone, RTM_DELQDISC, NLM_F_ACK)]),
    )


def drop(index: int, priority: int, ends: Ends, loss: Loss) -> Act:
    """Filters of that priority that drop all of the connection's packets in the directions asked for."""
    do, undo = [], []
    for wanted, parent, header in (
        (loss.arriving, _INGRESS, ends.arriving()),
        (loss.leaving, _EGRESS, ends.leaving()),
    ):
        if not wanted:
            continue
        filter_ = _message(index, parent, 0, priority, ends.ipv)
        options = cls_u32.get_parameters({"target": 0, "keys": _keys(ends.ipv, *header), "action": "drop"})
        filter_["attrs"] = [("TCA_KIND", "u32"), ("TCA_OPTIONS", options)]
        do.append((filter_, RTM_NEWTFILTER, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL))
        undo.append((_message(index, parent, 0, priority, ends.ipv), RTM_DELTFILTER, NLM_F_ACK))
    return Act(NETLINK_ROUTE, encode(do), encode(undo))


def _message(index: int, parent: int, handle: int, priority: int = 0, ipv: int | None = None) -> tcmsg:
    message = tcmsg()
    message["index"], message["parent"], message["handle"] = index, parent, handle
    if ipv is not None:
        # tcm_info: the priority, and the protocol in network order.
        (protocol,) = struct.unpack("=H", struct.pack("!H", ETH_P[ipv]))
        message["info"] = priority << 16 | protocol
    return message


def _keys(ipv: int, addresses: bytes, ports: bytes) -> list[str]:
    """u32's keys, as tc-u32(8) writes them: value/mask+offset. All digits: pyroute2 takes a key's width from them."""
    at, mask, value = _PROTOCOL[ipv]
    keys = [f"{value:#010x}/{mask:#010x}+{at}"]
    for base, wanted in ((_ADDRESSES_AT[ipv], addresses), (_PORTS_AT[ipv], ports)):
        for offset in range(0, len(wanted), 4):
            (word,) = struct.unpack_from("!I", wanted, offset)
            keys.append(f"{word:#010x}/0xffffffff+{base + offset}")
    return keys
