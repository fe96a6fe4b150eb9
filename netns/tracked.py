"""The connections that a router tracks, conntrack's entries: nfnetlink_conntrack.h, in pyroute2's message classes.

Instants and times are whole seconds, as the kernel tells them.
"""

import errno
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from pyroute2.netlink import NLM_F_ACK
from pyroute2.netlink.nfnetlink import NFNL_SUBSYS_CTNETLINK
from pyroute2.netlink.nfnetlink.nfctsocket import (
    IPCTNL_MSG_CT_DELETE,
    IPCTNL_MSG_CT_GET,
    TCP_CONNTRACK_TO_NAME,
    NFCTAttrTuple,
    nfct_msg,
)

from netns.netlink import Kernel, NetlinkRefusal, Request, encode

_SUBSYSTEM = NFNL_SUBSYS_CTNETLINK << 8
_GET, _DELETE = _SUBSYSTEM | IPCTNL_MSG_CT_GET, _SUBSYSTEM | IPCTNL_MSG_CT_DELETE
_FAMILY = {4: socket.AF_INET, 6: socket.AF_INET6}
_IPV = {int(family): ipv for ipv, family in _FAMILY.items()}

End = tuple[str, int]


@dataclass(frozen=True)
class Mapping:
    """One translated connection. ``outside``: the router's address and port that the server sees.

    ``expires_s``: whole seconds until the router forgets it, unless a packet passes before.
    """

    ipv: int
    client: End
    server: End
    outside: End
    state: str
    expires_s: int


def every(kernel: Kernel) -> Iterator[Mapping]:
    """Every TCP connection that has not expired. Raises NetlinkRefusal."""
    for answer in kernel.dump(nfct_msg(), _GET):
        mapping = _decoded(answer)
        if mapping:
            yield mapping


def find(kernel: Kernel, ipv: int, client: End, server: End) -> Mapping | None:
    """The connection that the client opened, None where it is not known. Raises NetlinkRefusal."""
    try:
        # The answer is marked as one of several, and none follows: only an acknowledgement ends it.
        answers = list(kernel.dump(_one(ipv, client, server), _GET, NLM_F_ACK))
    except NetlinkRefusal as refusal:
        if refusal.errno != errno.ENOENT:
            raise
        return None
    return _decoded(answers[0])


def forget(ipv: int, client: End, server: End) -> Request:
    """Delete one; ENOENT where there is none."""
    return encode([(_one(ipv, client, server), _DELETE, NLM_F_ACK)])


def forget_all() -> Request:
    return encode([(nfct_msg(), _DELETE, NLM_F_ACK)])


def _one(ipv: int, client: End, server: End) -> Any:
    wanted = NFCTAttrTuple(
        family=_FAMILY[ipv],
        saddr=client[0],
        daddr=server[0],
        proto=socket.IPPROTO_TCP,
        sport=client[1],
        dport=server[1],
    )
    message = nfct_msg.create_from(tuple_orig=wanted)
    message["nfgen_family"] = int(_FAMILY[ipv])
    return message


def _decoded(answer: bytes | memoryview) -> Mapping | None:
    """A conntrack entry of TCP, or None for another protocol."""
    message = nfct_msg(bytes(answer))
    message.decode()
    ipv = _IPV[message["nfgen_family"]]
    outward, backward = message.get_attr("CTA_TUPLE_ORIG"), message.get_attr("CTA_TUPLE_REPLY")
    if outward.get_attr("CTA_TUPLE_PROTO").get_attr("CTA_PROTO_NUM") != socket.IPPROTO_TCP:
        return None
    information = message.get_attr("CTA_PROTOINFO").get_attr("CTA_PROTOINFO_TCP")
    return Mapping(
        ipv=ipv,
        client=_end(outward, ipv, "SRC"),
        server=_end(outward, ipv, "DST"),
        outside=_end(backward, ipv, "DST"),
        state=TCP_CONNTRACK_TO_NAME[information.get_attr("CTA_PROTOINFO_TCP_STATE")],
        expires_s=message.get_attr("CTA_TIMEOUT"),
    )


def _end(direction: Any, ipv: int, end: Literal["SRC", "DST"]) -> End:
    address = direction.get_attr("CTA_TUPLE_IP").get_attr(f"CTA_IP_V{ipv}_{end}")
    return address, direction.get_attr("CTA_TUPLE_PROTO").get_attr(f"CTA_PROTO_{end}_PORT")
