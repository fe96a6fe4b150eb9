"""Faults in a router that has other packets too: bound to two addresses, and NAT to single connections."""

import contextlib
import errno
from collections.abc import Iterator
from typing import Literal

import pytest
from lab_connections import connected, error_of, eventually, hears, hears_nothing

from netns import nft
from netns.between import Between
from netns.filter import Filter, Flow
from netns.flownat import FlowNat
from netns.lab import Lab
from netns.wiring import CLIENT, SERVER

BOTH = pytest.mark.parametrize("ipv", [4, 6])
_TABLE = nft.Table("between")
_US = Between(CLIENT.addresses, SERVER.addresses)
_OTHERS = Between({4: "198.18.0.9", 6: "2001:db8:0:1::9"}, SERVER.addresses)
_PORT = 40_001  # the client's, where it must be known before it connects


@contextlib.contextmanager
def bound(lab: Lab, only: Between) -> Iterator[tuple[Filter, FlowNat]]:
    """A filter of its own, beside the lab's."""
    kernel = lab.router.call(nft.open_nft)
    filter_ = Filter(kernel, table=_TABLE, only=only)
    try:
        yield filter_, FlowNat(kernel, _TABLE, only)
    finally:
        filter_.close()


@pytest.mark.parametrize("only", [_OTHERS, Between({4: "198.18.0.9"}, {6: SERVER.addresses[6]})])
@BOTH
@pytest.mark.inside
def test_packets_of_others_pass(ipv: int, only: Between) -> None:
    with Lab() as lab, bound(lab, only) as (filter_, _), connected(lab, ipv) as connection:
        filter_.cut(connection.flow)
        filter_.reject(connection.flow, "host")
        connection.client.sendall(b"1")
        connection.server.sendall(b"2")
        assert hears(connection.server, b"1")
        assert hears(connection.client, b"2")
        assert filter_.counters()["total"] == 0


@BOTH
@pytest.mark.inside
def test_packets_between_the_two_are_met_both_ways(ipv: int) -> None:
    with Lab() as lab, bound(lab, _US) as (filter_, _), connected(lab, ipv) as connection:
        done = filter_.cut(connection.flow)
        connection.client.sendall(b"1")
        connection.server.sendall(b"2")
        assert hears_nothing(connection.server)
        assert hears_nothing(connection.client)
        done.undo()
        assert hears(connection.server, b"1")
        assert hears(connection.client, b"2")


@pytest.mark.parametrize("on_expiry", ["silent", "reset"])
@BOTH
@pytest.mark.inside
def test_one_connection_is_translated_and_forgotten(ipv: int, on_expiry: Literal["silent", "reset"]) -> None:
    flow = Flow(ipv, _PORT, 7000)
    with Lab() as lab, bound(lab, _US) as (_, nat), connected(lab, ipv, 7001) as other:
        kind, _ = nat.prepare(1, on_expiry)
        assert nat.mapping(flow) is None
        nat.translate(kind, flow)
        with connected(lab, ipv, client_port=_PORT) as connection:
            assert connection.server.getpeername()[0] != lab.client.addresses[ipv]
            mapping = nat.mapping(flow)
            assert mapping is not None
            assert mapping.outside == connection.server.getpeername()[:2]
            assert mapping.expires_s <= 1
            assert eventually(lambda: nat.mapping(flow) is None)
            connection.server.sendall(b"1")
            connection.client.sendall(b"2")
            if on_expiry == "silent":
                assert hears_nothing(connection.client)
                assert hears_nothing(connection.server)
            else:
                assert error_of(connection.client) == errno.ECONNRESET
                assert error_of(connection.server) == errno.ECONNRESET
        # What was open before, and what opens now, belongs to others, and to timeouts of their own.
        other.client.sendall(b"3")
        assert hears(other.server, b"3")
        with connected(lab, ipv, 7002) as third:
            assert third.server.getpeername()[0] == lab.client.addresses[ipv]
            known = nat.mapping(third.flow)
            assert known is not None
            assert known.expires_s > 1000


@pytest.mark.inside
def test_a_connection_may_leave_the_translation() -> None:
    flow = Flow(4, _PORT, 7000)
    with Lab() as lab, bound(lab, _US) as (_, nat):
        short, _ = nat.prepare(1, "silent")
        long, _ = nat.prepare(1000, "reset")
        nat.translate(long, flow)
        with connected(lab, 4, client_port=_PORT):
            known = nat.mapping(flow)
            assert known is not None
            assert 900 < known.expires_s <= 1000
            nat.end(flow)
        with contextlib.closing(lab.router.call(nft.open_nft)) as kernel:
            kernel.send(nat.forgetting(flow))
        assert nat.mapping(flow) is None
        assert short != long
        with connected(lab, 4, 7001, client_port=_PORT) as plain:
            assert plain.server.getpeername()[0] == lab.client.addresses[4]
