"""Faults that are not put into the router's path: on a host itself, on a link, at the next hop. They look alike and are
not: a host that is told by its own kernel that a packet was dropped counts differently than one whose packet was lost.

- ``own-queue``: the host's queueing discipline drops (pfifo limit 0, tc-fifo(8)): the sender's kernel knows.
- ``own-filter``: the host's own nftables drops on its way out: the sender gets EPERM.
- ``own-link``: the host's device is down: its routes are gone.
- ``far-link``: the router's device toward the other host is down: the router answers ICMP net unreachable.
- ``next-hop``: the router no longer answers to its addresses on the host's segment, and the host's neighbour entry is
  an ordinary one: first it is believed (REACHABLE), later it fails (arp(7)).
"""

import errno
from collections.abc import Callable

from pyroute2.netlink import NLM_F_ACK, NLM_F_CREATE, NLM_F_REPLACE
from pyroute2.netlink.rtnl import RTM_DELADDR, RTM_DELQDISC, RTM_NEWLINK, RTM_NEWQDISC
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.tcmsg import tcmsg

from netns import nft, wiring
from netns.errors import LabError
from netns.filter import Done, Flow, keys, once
from netns.lab import Host, Lab
from netns.namespace import Namespace
from netns.netlink import Netlink, Request, Stamps, encode

PLACES = ("own-queue", "own-filter", "own-link", "far-link", "next-hop")

_ROOT_QDISC = 0xFFFF_FFFF
_CHAIN = "own"
_ALREADY = frozenset({errno.EEXIST})
_NUD_REACHABLE = 0x02
# A locally administered address that nobody has: frames to the old one are then somebody else's.
_NOBODY = "02:00:00:00:ff:ff"


def place(lab: Lab, where: str, host: Host, other: Host, flow: Flow) -> Done:
    """Put the fault where it is asked for; ``host`` is the end that will suffer it. Raises LabError."""
    acts: dict[str, Callable[[], tuple[Stamps, Callable[[], Stamps]]]] = {
        "own-queue": lambda: _own_queue(host),
        "own-filter": lambda: _own_filter(host, flow),
        "own-link": lambda: _link(host, wiring.HOST_INDEX, wiring.wire_host(host.side)),
        "far-link": lambda: _link(lab.router, other.side.index, wiring.wire_router()),
        "next-hop": lambda: _next_hop(lab, host),
    }
    if where not in acts:
        raise LabError(f"a fault at {where!r} cannot be had; {', '.join(PLACES)} can")
    stamps, undo = acts[where]()

    def undone() -> Done:
        done: Done = Done(*undo(), lambda: done)
        return done

    return Done(*stamps, once(undone))


def _own_queue(host: Host) -> tuple[Stamps, Callable[[], Stamps]]:
    dropping = tcmsg()
    dropping["index"], dropping["parent"] = wiring.HOST_INDEX, _ROOT_QDISC
    dropping["attrs"] = [("TCA_KIND", "pfifo"), ("TCA_OPTIONS", {"limit": 0})]
    put = encode([(dropping, RTM_NEWQDISC, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE)])
    plain = tcmsg()
    plain["index"], plain["parent"] = wiring.HOST_INDEX, _ROOT_QDISC
    return _routed(host, put), lambda: _routed(host, encode([(plain, RTM_DELQDISC, NLM_F_ACK)]))


def _own_filter(host: Host, flow: Flow) -> tuple[Stamps, Callable[[], Stamps]]:
    out = keys(flow, to_client=host.name == "server", to_server=host.name == "client")
    match = [
        *nft.match_tcp(),
        nft.load_meta("NFPROTO"),
        nft.load_payload(nft.TRANSPORT_HEADER, 0, 4, nft.REGISTER_2),
        nft.lookup(_CHAIN),
    ]
    messages = [
        nft.new_table(),
        nft.new_chain(_CHAIN, nft.LOCAL_OUT),
        nft.new_set(_CHAIN, 1, len(out[0])),
        nft.new_rule(_CHAIN, _CHAIN, match + nft.drop()),
        nft.add_elements(_CHAIN, out),
    ]
    return _filtered(host, nft.batch(messages)), lambda: _filtered(host, nft.batch([nft.delete_table()]))


def _link(namespace: Namespace, index: int, rewiring: Request) -> tuple[Stamps, Callable[[], Stamps]]:
    """Take a device down. Up again it lacks what the kernel took away with it, so that is given anew."""
    message = ifinfmsg()
    message["index"], message["flags"], message["change"] = index, 0, wiring.IFF_UP
    down = encode([(message, RTM_NEWLINK, NLM_F_ACK)])
    return _routed(namespace, down), lambda: _routed(namespace, rewiring)


def _next_hop(lab: Lab, host: Host) -> tuple[Stamps, Callable[[], Stamps]]:
    side = host.side

    def believe(*state: int) -> Request:
        gateways = side.gateways.items()
        return encode([wiring.neighbour(wiring.HOST_INDEX, ipv, at, side.router_mac, *state) for ipv, at in gateways])

    _routed(host, believe(_NUD_REACHABLE))
    gone = [(wiring.address(side.index, ipv, side.gateways[ipv])[0], RTM_DELADDR, NLM_F_ACK) for ipv in (4, 6)]
    stamps = _routed(lab.router, encode([*gone, wiring.link_address(side.index, _NOBODY)]))

    def undo() -> Stamps:
        _routed(lab.router, encode([wiring.link_address(side.index, side.router_mac)]))
        undone = _routed(lab.router, wiring.wire_router())
        _routed(host, believe())
        return undone

    return stamps, undo


def _routed(namespace: Namespace, request: Request) -> Stamps:
    return namespace.call(_send, wiring.open_route, request)


def _filtered(namespace: Namespace, request: Request) -> Stamps:
    return namespace.call(_send, nft.open_nft, request)


def _send(opening: Callable[[], Netlink], request: Request) -> Stamps:
    netlink = opening()
    try:
        return netlink.send(request, _ALREADY)
    finally:
        netlink.close()
