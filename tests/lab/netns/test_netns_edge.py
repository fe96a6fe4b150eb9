"""Packet faults at a host's own edge: what they stop, what they spare, and that one request takes them back."""

import socket
from collections.abc import Callable

import pytest
from lab_connections import connected, hears, hears_nothing
from pyroute2.netlink.nfnetlink.nftsocket import NFPROTO_NETDEV

from netns import edge, nft
from netns.edge import Act, Ends, Loss
from netns.lab import Host, Lab
from netns.netlink import Netlink, Request

_PORT = 7000
_MOST_SENT = 200
_NETDEV, _INET = nft.Table("halfopen-test-1", NFPROTO_NETDEV), nft.Table("halfopen-test-1")
BOTH = pytest.mark.parametrize("ipv", [4, 6])
MAKERS = pytest.mark.parametrize("make", [edge.netdev, edge.inet])


def _ends(lab: Lab, ipv: int, client_port: int) -> Ends:
    """The connection as the server sees it."""
    return Ends(ipv, (lab.server.addresses[ipv], _PORT), (lab.client.addresses[ipv], client_port))


def _send(host: Host, protocol: int, request: Request) -> None:
    def send() -> None:
        netlink = Netlink(protocol)
        try:
            netlink.send(request)
        finally:
            netlink.close()

    host.call(send)


def _put(host: Host, act: Act) -> Callable[[], None]:
    _send(host, act.protocol, act.do)
    return lambda: _send(host, act.protocol, act.undo)


@BOTH
@MAKERS
@pytest.mark.inside
def test_both_directions_vanish_and_come_back(ipv: int, make: edge.Maker) -> None:
    with Lab() as lab, connected(lab, ipv, _PORT) as connection, connected(lab, ipv, _PORT + 1) as other:
        ends = _ends(lab, ipv, connection.flow.client_port)
        undo = _put(lab.server, make("halfopen-test-1", lab.server.device, ends, Loss(arriving=True, leaving=True)))
        connection.client.sendall(b"1")
        connection.server.sendall(b"2")
        other.client.sendall(b"3")
        other.server.sendall(b"4")
        assert hears(other.server, b"3") and hears(other.client, b"4")
        assert hears_nothing(connection.server) and hears_nothing(connection.client)
        undo()
        assert hears(connection.server, b"1") and hears(connection.client, b"2")


@BOTH
@MAKERS
@pytest.mark.parametrize("arriving", [True, False])
@pytest.mark.inside
def test_one_direction_vanishes_and_the_other_does_not(ipv: int, make: edge.Maker, arriving: bool) -> None:
    with Lab() as lab, connected(lab, ipv, _PORT) as connection:
        ends = _ends(lab, ipv, connection.flow.client_port)
        loss = Loss(arriving=arriving, leaving=not arriving)
        _put(lab.server, make("halfopen-test-1", lab.server.device, ends, loss))
        deaf, hearing = connection.server, connection.client
        if not arriving:
            deaf, hearing = hearing, deaf
        deaf.sendall(b"1")
        assert hears(hearing, b"1")
        hearing.sendall(b"2")
        assert hears_nothing(deaf)


@pytest.mark.parametrize(("make", "table"), [(edge.netdev, _NETDEV), (edge.inet, _INET)])
@pytest.mark.inside
def test_a_share_vanishes_and_the_rest_arrives(make: edge.Maker, table: nft.Table) -> None:
    with Lab() as lab, connected(lab, 4, _PORT) as connection:
        ends = _ends(lab, 4, connection.flow.client_port)
        _put(lab.server, make(table.name, lab.server.device, ends, Loss(arriving=True, leaving=False, percent=30)))
        connection.client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(_MOST_SENT):
            connection.client.sendall(b"x")
            assert hears(connection.server, b"x")
            if _dropped(lab.server, table) >= 3:
                break
        assert 3 <= _dropped(lab.server, table) < _MOST_SENT


def _dropped(host: Host, table: nft.Table) -> int:
    def ask() -> int:
        netlink = nft.open_nft()
        try:
            return sum(nft.dropped(netlink, table).values())
        finally:
            netlink.close()

    return host.call(ask)
