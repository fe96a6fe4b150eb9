"""One connection's socket, asked for by its two ends: on both hosts, and where there is none."""

import pytest
from lab_connections import FAMILY, connected

from netns.lab import Lab


@pytest.mark.inside
@pytest.mark.parametrize("ipv", sorted(FAMILY))
def test_a_connection_is_found_by_its_two_ends(ipv: int) -> None:
    with Lab() as lab, connected(lab, ipv) as connection:
        client, server = connection.client.getsockname()[:2], connection.client.getpeername()[:2]
        for host, local, remote in ((lab.client, client, server), (lab.server, server, client)):
            found = host.socket(ipv, local, remote)
            listed = [each for each in host.sockets({client[1]}) if each.state != "LISTEN"]
            assert found is not None and [each.cookie for each in listed] == [found.cookie]
            assert (found.state, found.local_port, found.remote_port) == ("ESTABLISHED", local[1], remote[1])
        assert lab.client.socket(ipv, server, client) is None


@pytest.mark.inside
def test_a_listener_is_no_connection() -> None:
    with Lab() as lab, connected(lab, 4) as connection:
        listening = connection.client.getpeername()
        assert lab.server.socket(4, listening, (lab.client.addresses[4], 9)) is None
