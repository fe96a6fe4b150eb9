"""A router that translates, tracks and forgets single connections, and leaves all others as they are.

``nat`` is for a router of one's own: it translates whatever the client opens, and its timeouts are the router's. Here
a connection is named before it is opened; it has timeouts of its own (nf_conntrack_timeout.c; nft(8), `ct timeout`),
and a rule, not nf_conntrack_tcp_loose, sees that only its SYN makes a mapping. Times are seconds.
"""

import errno
from typing import Literal

from netns import cttimeout, nft, tracked
from netns.between import Between
from netns.errors import LabError
from netns.filter import KEY_LENGTH, Flow, keys, match_flows
from netns.nat import MODULES, SHORTENING_S, answer_of
from netns.netlink import Kernel, NetlinkRefusal, Request, Stamps
from netns.tracked import Mapping

_FORWARD, _INPUT, _POSTROUTING = "nat-forward", "nat-input", "nat-postrouting"
# Byte 13 of the TCP header (RFC 9293, 3.1).
_FLAGS_AT, _FIN_SYN_RST_ACK, _SYN = 13, b"\x17", b"\x02"
_FIRST_SET = 16  # their numbers need to differ within a batch only


class FlowNat:
    """Adds to the table of a ``Filter`` with the same ``only``; goes with it."""

    def __init__(self, kernel: Kernel, table: nft.Table, only: Between) -> None:
        self._kernel, self._table, self._only = kernel, table, only
        self._kinds: set[str] = set()
        self._flows: dict[Flow, str] = {}

    def prepare(self, timeout_s: int, on_expiry: Literal["silent", "reset"]) -> tuple[str, Stamps]:
        """Make what translates so; return its name, to be given with each connection."""
        answer = answer_of(timeout_s, on_expiry)
        kind = f"nat-{timeout_s}-{on_expiry}"
        messages = [] if kind in self._kinds else self._new_kind(kind, timeout_s, answer)
        stamps = self._send(messages if self._kinds else [*self._new_chains(), *messages])
        self._kinds.add(kind)
        return kind, stamps

    def translate(self, kind: str, flow: Flow) -> Stamps:
        """From its SYN on."""
        stamps = self._send([nft.add_elements(kind, keys(flow, True, True), self._table)])
        self._flows[flow] = kind
        return stamps

    def end(self, flow: Flow) -> Stamps:
        """Translate it no more; what the router still knows of it is for ``forgetting``."""
        kind = self._flows.pop(flow)
        return self._send([nft.delete_elements(kind, keys(flow, True, True), self._table)])

    def mapping(self, flow: Flow) -> Mapping | None:
        """What the router knows of the connection at this instant."""
        try:
            return tracked.find(self._kernel, flow.ipv, *self._ends(flow))
        except NetlinkRefusal as refusal:
            raise nft.missing(refusal, "asking for NAT's mapping", MODULES) from refusal

    def forgetting(self, flow: Flow) -> Request:
        """The request that has the router forget the connection; it refuses with ENOENT where it has already."""
        return tracked.forget(flow.ipv, *self._ends(flow))

    def _ends(self, flow: Flow) -> tuple[tracked.End, tracked.End]:
        only = self._only
        return (only.client[flow.ipv], flow.client_port), (only.server[flow.ipv], flow.server_port)

    def _new_chains(self) -> list[nft.Message]:
        table = self._table
        return [
            nft.new_chain(_FORWARD, nft.FORWARD, table=table),
            *self._only.spare_others(_FORWARD, table),
            nft.new_chain(_INPUT, nft.LOCAL_IN, table=table),
            nft.new_chain(_POSTROUTING, nft.POST_ROUTING, nft.SOURCE_NAT_PRIORITY, "nat", table=table),
            *self._only.spare_others(_POSTROUTING, table),
        ]

    def _new_kind(self, kind: str, timeout_s: int, answer: list[nft.Expression]) -> list[nft.Message]:
        table, flows = self._table, match_flows(kind)
        fresh = nft.match_ct_state(nft.CT_NEW)
        # Unacknowledged or repeated data would cut a longer timeout down to the router's five minutes.
        shortened = max(SHORTENING_S, timeout_s)
        timeouts = {"established": timeout_s, "retrans": shortened, "unack": shortened}
        return [
            nft.new_set(kind, _FIRST_SET, KEY_LENGTH, table),
            cttimeout.new_timeout(kind, timeouts, table),
            nft.new_rule(_FORWARD, "nat-unmapped", flows + nft.match_ct_state(nft.CT_INVALID) + answer, table),
            nft.new_rule(_FORWARD, "nat-unmapped", flows + fresh + _match_no_syn() + answer, table),
            nft.new_rule(_FORWARD, "nat-timeout", [*flows, cttimeout.give(kind)], table),
            # The server knows the router's address only. What belongs to a mapping never arrives here.
            *(
                nft.new_rule(_INPUT, "nat-unmapped", self._only.match_from_server(ipv) + flows + answer, table)
                for ipv in self._only.versions
            ),
            nft.new_rule(_POSTROUTING, "nat-masquerade", [*flows, nft.expression("masq")], table),
        ]

    def _send(self, messages: list[nft.Message]) -> Stamps:
        try:
            return self._kernel.send(nft.batch(messages))
        except NetlinkRefusal as refusal:
            if refusal.errno == errno.EOPNOTSUPP:
                raise LabError(
                    "NAT for a single connection needs a kernel with CONFIG_NF_CONNTRACK_TIMEOUT and the modules"
                    f" {MODULES} ({refusal})"
                ) from refusal
            raise nft.missing(refusal, "NAT", MODULES) from refusal


def _match_no_syn() -> list[nft.Expression]:
    """TCP segments that do not open a connection."""
    mask = {"attrs": [("NFTA_DATA_VALUE", _FIN_SYN_RST_ACK)]}
    none = {"attrs": [("NFTA_DATA_VALUE", b"\0")]}
    return [
        nft.load_payload(nft.TRANSPORT_HEADER, _FLAGS_AT, 1),
        nft.expression("bitwise", sreg=nft.REGISTER, dreg=nft.REGISTER, len=1, mask=mask, xor=none),
        nft.compare(_SYN, nft.NOT_EQUAL),
    ]
