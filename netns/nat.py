"""A router that translates, tracks and forgets: masquerading with conntrack, as home routers and cloud gateways do.

Facts: net/netfilter/nf_conntrack_proto_tcp.c; Documentation/networking/nf_conntrack-sysctl.rst. Times are seconds.
"""

import errno
from collections.abc import Callable
from typing import Literal

from netns import nft, tracked
from netns.errors import LabError
from netns.netlink import Kernel, NetlinkRefusal, Stamps
from netns.tracked import Mapping
from netns.wiring import CLIENT, SERVER

MODULES = "nf_conntrack nf_conntrack_netlink nft_ct nft_masq nft_chain_nat nft_reject_inet"
_FORWARD, _INPUT, _POSTROUTING = "nat-forward", "nat-input", "nat-postrouting"
_CHAINS = (_FORWARD, _INPUT, _POSTROUTING)
# Data unacknowledged, sent again or facing a closed window cuts a longer timeout down to these (default 300 s).
_SHORTENING = ("nf_conntrack_tcp_timeout_unacknowledged", "nf_conntrack_tcp_timeout_max_retrans")
SHORTENING_S = 300


class Nat:
    """Masquerading client -> server, for all that a lab's client opens. ``set_sysctl``: the router's.

    Only a SYN from the client makes a mapping (nf_conntrack_tcp_loose=0). A packet that belongs to none is dropped or
    answered with RST, whether it is on its way through (from the client) or has arrived (from the server, which knows
    only the router's address). Connections made before the translation began belong to none.
    """

    def __init__(self, netlink: Kernel, set_sysctl: Callable[[str, int], None]) -> None:
        self._netlink = netlink
        self._set_sysctl = set_sysctl
        self._running = self._used = False

    def start(self, timeout_s: int, on_expiry: Literal["silent", "reset"]) -> Stamps:
        """Begin, or change the timeout or the answer."""
        answer = answer_of(timeout_s, on_expiry)
        messages = [*_new_chains(), *(nft.flush_chain(chain) for chain in _CHAINS), *_rules(answer)]
        try:
            stamps = self._netlink.send(nft.batch(messages))
        except NetlinkRefusal as refusal:
            raise nft.missing(refusal, "NAT", MODULES) from refusal
        self._running = self._used = True
        timeouts = {"nf_conntrack_tcp_timeout_established": int(timeout_s), "nf_conntrack_tcp_loose": 0}
        timeouts |= {name: max(SHORTENING_S, int(timeout_s)) for name in _SHORTENING}
        for name, value in timeouts.items():
            self._set_sysctl(f"net.netfilter.{name}", value)
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
            self._netlink.send(tracked.forget_all())
        return stamps

    def mappings(self) -> list[Mapping]:
        """The TCP connections that have not expired, as conntrack lists them."""
        if not self._used:
            return []
        try:
            return list(tracked.every(self._netlink))
        except NetlinkRefusal as refusal:
            raise nft.missing(refusal, "the list of NAT's mappings", MODULES) from refusal

    def forget(self, ipv: int, client_port: int, server_port: int) -> Stamps:
        """Delete one mapping. Raises LabError where there is none."""
        if not self._used:
            raise LabError("the router translates nothing: masquerade first")
        client, server = (CLIENT.addresses[ipv], client_port), (SERVER.addresses[ipv], server_port)
        try:
            return self._netlink.send(tracked.forget(ipv, client, server))
        except NetlinkRefusal as refusal:
            if refusal.errno == errno.ENOENT:
                raise LabError(f"the router has no mapping for {client_port} -> {server_port} to forget") from refusal
            raise nft.missing(refusal, "forgetting a mapping", MODULES) from refusal


def answer_of(timeout_s: int, on_expiry: Literal["silent", "reset"]) -> list[nft.Expression]:
    """What is done with a packet that no mapping is known for. Raises LabError for what cannot be had."""
    if timeout_s < 1 or timeout_s != int(timeout_s):
        raise LabError(f"a NAT timeout of {timeout_s} s cannot be had; whole seconds from 1 on can")
    if on_expiry not in ("silent", "reset"):
        raise LabError(f"the answer {on_expiry!r} to a forgotten connection cannot be had; silent and reset can")
    return nft.drop() if on_expiry == "silent" else nft.reject(nft.REJECT_RST)


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
