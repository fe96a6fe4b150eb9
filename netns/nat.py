"""A router that translates, tracks and forgets: masquerading with conntrack, as home routers and cloud gateways do.

Facts: net/netfilter/nf_conntrack_proto_tcp.c; Documentation/networking/nf_conntrack-sysctl.rst. Times are seconds.
"""

import errno
import socket
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

from netns import nft
from netns.errors import LabError
from netns.namespace import Namespace
from netns.netlink import Netlink, NetlinkRefusal, Stamps, encode
from netns.wiring import CLIENT, SERVER

_SUBSYSTEM = NFNL_SUBSYS_CTNETLINK << 8
_MODULES = "nf_conntrack nf_conntrack_netlink nft_ct nft_masq nft_chain_nat nft_reject_inet"
_FORWARD, _INPUT, _POSTROUTING = "nat-forward", "nat-input", "nat-postrouting"
_CHAINS = (_FORWARD, _INPUT, _POSTROUTING)
_FAMILY = {4: socket.AF_INET, 6: socket.AF_INET6}
_IPV = {int(family): ipv for ipv, family in _FAMILY.items()}
# Data unacknowledged, sent again or facing a closed window cuts a longer timeout down to these (default 300 s).
_SHORTENING = ("nf_conntrack_tcp_timeout_unacknowledged", "nf_conntrack_tcp_timeout_max_retrans")
_SHORTENING_S = 300


@dataclass(frozen=True)
class Mapping:
    """One translated connection. ``outside``: the router's address and port that the server sees.

    ``expires_s``: whole seconds until the router forgets it, unless a packet passes before.
    """

    ipv: int
    client: tuple[str, int]
    server: tuple[str, int]
    outside: tuple[str, int]
    state: str
    expires_s: int


class Nat:
    """Masquerading client -> server.

    Only a SYN from the client makes a mapping (nf_conntrack_tcp_loose=0). A packet that belongs to none is dropped or
    answered with RST, whether it is on its way through (from the client) or has arrived (from the server, which knows
    only the router's address). Connections made before the translation began belong to none.
    """

    def __init__(self, router: Namespace, netlink: Netlink) -> None:
        self._router = router
        self._netlink = netlink
        self._running = False

    def start(self, timeout_s: int, on_expiry: Literal["silent", "reset"]) -> Stamps:
        """Begin, or change the timeout or the answer."""
        if timeout_s < 1 or timeout_s != int(timeout_s):
            raise LabError(f"a NAT timeout of {timeout_s} s cannot be had; whole seconds from 1 on can")
        if on_expiry not in ("silent", "reset"):
            raise LabError(f"the answer {on_expiry!r} to a forgotten connection cannot be had; silent and reset can")
        answer = nft.drop() if on_expiry == "silent" else nft.reject(nft.REJECT_RST)
        messages = [*_new_chains(), *(nft.flush_chain(chain) for chain in _CHAINS), *_rules(answer)]
        try:
            stamps = self._netlink.send(nft.batch(messages))
        except NetlinkRefusal as refusal:
            raise nft.missing(refusal, "NAT", _MODULES) from refusal
        self._running = True
        timeouts = {"nf_conntrack_tcp_timeout_established": int(timeout_s), "nf_conntrack_tcp_loose": 0}
        timeouts |= {name: max(_SHORTENING_S, int(timeout_s)) for name in _SHORTENING}
        for name, value in timeouts.items():
            self._router.set_sysctl(f"net.netfilter.{name}", value)
        return stamps

    def stop(self) -> Stamps:
        """Translate no more, and forget every mapping."""
        messages: list[nft.Message] = []
        if self._running:
            # Rules first: a chain with rules in it cannot be deleted.
            messages += [nft.flush_chain(chain) for chain in _CHAINS]
            messages += [nft.delete_chain(chain) for chain in _CHAINS]
        stamps = self._netlink.send(nft.batch(messages))
        if self._running:
            self._running = False
            self._netlink.send(encode([(nfct_msg(), _SUBSYSTEM | IPCTNL_MSG_CT_DELETE, NLM_F_ACK)]))
        return stamps

    def mappings(self) -> list[Mapping]:
        """The TCP connections that have not expired, as conntrack lists them."""
        found = []
        try:
            for answer in self._netlink.dump(nfct_msg(), _SUBSYSTEM | IPCTNL_MSG_CT_GET):
                message = nfct_msg(bytes(answer))
                message.decode()
                mapping = _mapping(message)
                if mapping:
                    found.append(mapping)
        except NetlinkRefusal as refusal:
            raise nft.missing(refusal, "the list of NAT's mappings", _MODULES) from refusal
        return found

    def forget(self, ipv: int, client_port: int, server_port: int) -> Stamps:
        """Delete one mapping. Raises LabError where there is none."""
        wanted = NFCTAttrTuple(
            family=_FAMILY[ipv],
            saddr=CLIENT.addresses[ipv],
            daddr=SERVER.addresses[ipv],
            proto=socket.IPPROTO_TCP,
            sport=client_port,
            dport=server_port,
        )
        message = nfct_msg.create_from(tuple_orig=wanted)
        message["nfgen_family"] = int(_FAMILY[ipv])
        try:
            return self._netlink.send(encode([(message, _SUBSYSTEM | IPCTNL_MSG_CT_DELETE, NLM_F_ACK)]))
        except NetlinkRefusal as refusal:
            if refusal.errno == errno.ENOENT:
                raise LabError(f"the router has no mapping for {client_port} -> {server_port} to forget") from refusal
            raise nft.missing(refusal, "forgetting a mapping", _MODULES) from refusal


def _new_chains() -> list[nft.Message]:
    return [
        nft.new_chain(_FORWARD, nft.FORWARD),
        nft.new_chain(_INPUT, nft.LOCAL_IN),
        nft.new_chain(_POSTROUTING, nft.POST_ROUTING, nft.SOURCE_NAT_PRIORITY, "nat"),
    ]


def _rules(answer: list[nft.Expression]) -> list[nft.Message]:
    from_server = nft.match_index("IIF", SERVER.index)
    to_server = nft.match_index("OIF", SERVER.index)
    tcp = nft.match_tcp()
    return [
        nft.new_rule(_FORWARD, "nat-unmapped", tcp + nft.match_ct_state(nft.CT_INVALID) + answer),
        nft.new_rule(_FORWARD, "nat-unmapped", tcp + from_server + nft.match_ct_state(nft.CT_NEW) + answer),
        # What belongs to a mapping is translated back before routing, and so never arrives here.
        nft.new_rule(_INPUT, "nat-unmapped", tcp + from_server + answer),
        nft.new_rule(_POSTROUTING, "nat-masquerade", tcp + to_server + [nft.expression("masq")]),
    ]


def _mapping(message: Any) -> Mapping | None:
    """A conntrack entry of TCP, or None for another protocol."""
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


def _end(direction: Any, ipv: int, end: Literal["SRC", "DST"]) -> tuple[str, int]:
    address = direction.get_attr("CTA_TUPLE_IP").get_attr(f"CTA_IP_V{ipv}_{end}")
    return address, direction.get_attr("CTA_TUPLE_PROTO").get_attr(f"CTA_PROTO_{end}_PORT")
