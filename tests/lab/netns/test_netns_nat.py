"""The router that translates and forgets."""

import errno

import pytest
from lab_connections import connected, error_of, eventually, hears, hears_nothing

from netns.errors import LabError
from netns.lab import Lab

BOTH = pytest.mark.parametrize("ipv", [4, 6])


@BOTH
@pytest.mark.inside
def test_the_server_sees_the_router(user: str, ipv: int) -> None:
    with Lab() as lab:
        assert lab.filter.mappings() == []
        lab.filter.masquerade(60)
        with connected(lab, ipv) as connection:
            connection.client.sendall(b"1")
            assert hears(connection.server, b"1")
            connection.server.sendall(b"2")
            assert hears(connection.client, b"2")
            (mapping,) = lab.filter.mappings()
            assert mapping.ipv == ipv
            assert mapping.client == connection.client.getsockname()[:2]
            assert mapping.server == connection.client.getpeername()[:2]
            assert mapping.outside == connection.server.getpeername()[:2]
            assert mapping.outside[0] != lab.client.addresses[ipv]
            assert mapping.state == "ESTABLISHED"
            assert 55 <= mapping.expires_s <= 60


@BOTH
@pytest.mark.inside
def test_a_silent_expiry_swallows_both_ways(ipv: int) -> None:
    with Lab() as lab:
        lab.filter.masquerade(1, "silent")
        with connected(lab, ipv) as connection:
            assert len(lab.filter.mappings()) == 1
            assert eventually(lambda: not lab.filter.mappings())
            connection.client.sendall(b"1")
            connection.server.sendall(b"2")
            assert hears_nothing(connection.server)
            assert hears_nothing(connection.client)
            assert lab.filter.counters()["nat-unmapped"] >= 2


@pytest.mark.parametrize("first", ["client", "server"])
@BOTH
@pytest.mark.inside
def test_a_forgotten_connection_is_reset(ipv: int, first: str) -> None:
    with Lab() as lab:
        lab.filter.masquerade(60, "reset")
        with connected(lab, ipv) as connection:
            lab.filter.forget(connection.flow)
            assert lab.filter.mappings() == []
            end = {"client": connection.client, "server": connection.server}[first]
            end.sendall(b"1")
            assert error_of(end) == errno.ECONNRESET
            with pytest.raises(LabError, match="no mapping"):
                lab.filter.forget(connection.flow)


@pytest.mark.inside
def test_traffic_keeps_a_mapping() -> None:
    with Lab() as lab:
        lab.filter.masquerade(2)
        with connected(lab, 4) as connection:
            assert eventually(lambda: lab.filter.mappings()[0].expires_s == 0)
            connection.client.sendall(b"1")
            assert hears(connection.server, b"1")
            assert lab.filter.mappings()[0].expires_s >= 1


@pytest.mark.inside
def test_unacknowledged_data_does_not_shorten_a_long_timeout() -> None:
    with Lab() as lab:
        lab.filter.masquerade(1000)
        with connected(lab, 4) as connection:
            lab.filter.cut(connection.flow, to_server=False)
            connection.client.sendall(b"1")
            assert hears(connection.server, b"1")
            assert lab.filter.mappings()[0].expires_s > 900


@BOTH
@pytest.mark.inside
def test_unmasquerade_forwards_plainly_again(ipv: int) -> None:
    with Lab() as lab:
        done = lab.filter.masquerade(60)
        with connected(lab, ipv):
            pass
        done.undo()
        done.undo()
        lab.filter.unmasquerade()
        assert lab.filter.mappings() == []
        with connected(lab, ipv, 7001) as connection:
            assert connection.server.getpeername()[0] == lab.client.addresses[ipv]
        lab.filter.masquerade(60)
        with connected(lab, ipv, 7002) as connection:
            assert connection.server.getpeername()[0] != lab.client.addresses[ipv]


@pytest.mark.inside
def test_what_cannot_be_had_is_refused() -> None:
    with Lab() as lab, connected(lab, 4) as connection:
        with pytest.raises(LabError, match="masquerade first"):
            lab.filter.forget(connection.flow)
        with pytest.raises(LabError, match="whole seconds"):
            lab.filter.masquerade(0)
