"""Each fault on real packets: what it stops, what it lets through, what the sender is told, and that it heals."""

import contextlib
import errno
import socket
import time

import pytest
from lab_connections import FAMILY, connected, error_of, hears, hears_nothing

from netns import nft
from netns.capture import open_capture
from netns.errors import LabError
from netns.filter import Flow
from netns.lab import Lab
from netns.netlink import NetlinkRefusal

BOTH = pytest.mark.parametrize("ipv", [4, 6])
_RECVERR = {4: (socket.IPPROTO_IP, 11), 6: (socket.IPPROTO_IPV6, 25)}


@BOTH
@pytest.mark.inside
def test_cut_stops_both_ways_and_undo_heals(user: str, ipv: int) -> None:
    with Lab() as lab, connected(lab, ipv) as connection, connected(lab, ipv, 7001) as other:
        done = lab.filter.cut(connection.flow)
        connection.client.sendall(b"1")
        connection.server.sendall(b"2")
        other.client.sendall(b"3")
        assert hears(other.server, b"3")
        assert hears_nothing(connection.server)
        assert hears_nothing(connection.client)
        assert lab.filter.counters()["cut"] >= 2
        healed = done.undo()
        assert done.undo() is healed
        assert done.before_ns <= done.after_ns <= healed.before_ns <= healed.after_ns <= time.monotonic_ns()
        assert hears(connection.server, b"1")
        assert hears(connection.client, b"2")


@pytest.mark.parametrize("stopped", ["client", "server"])
@BOTH
@pytest.mark.inside
def test_cut_one_way(ipv: int, stopped: str) -> None:
    with Lab() as lab, connected(lab, ipv) as connection:
        toward = {"client": connection.client, "server": connection.server}
        deaf, hearing = toward.pop(stopped), next(iter(toward.values()))
        done = lab.filter.cut(connection.flow, to_client=stopped == "client", to_server=stopped == "server")
        deaf.sendall(b"1")
        assert hears(hearing, b"1")
        hearing.sendall(b"2")
        assert hears_nothing(deaf)
        done.undo()
        assert hears(deaf, b"2")


@pytest.mark.inside
def test_cut_is_in_force_when_it_returns() -> None:
    with Lab() as lab:
        for port in range(7000, 7020):
            with connected(lab, 4, port) as connection:
                lab.filter.cut(connection.flow)
                connection.client.sendall(b"x")
                # On veth, what is forwarded at all has arrived when sendall returns.
                assert lab.server.sockets({port})[0].rqueue + lab.server.sockets({port})[1].rqueue == 0


@pytest.mark.inside
def test_a_cut_of_the_other_ip_version_is_another_flow() -> None:
    with Lab() as lab, connected(lab, 4) as connection:
        lab.filter.cut(Flow(6, connection.flow.client_port, connection.flow.server_port))
        connection.client.sendall(b"1")
        assert hears(connection.server, b"1")
        with pytest.raises(LabError, match="IP version 5"):
            lab.filter.cut(Flow(5, 1, 2))


@pytest.mark.inside
def test_overlapping_cuts_heal_with_the_last() -> None:
    with Lab() as lab, connected(lab, 4) as connection:
        first = lab.filter.cut(connection.flow)
        second = lab.filter.cut(connection.flow, to_client=False)
        first.undo()
        connection.client.sendall(b"1")
        assert hears_nothing(connection.server)
        connection.server.sendall(b"2")
        assert hears(connection.client, b"2")
        second.undo()
        assert hears(connection.server, b"1")


@pytest.mark.inside
def test_lossy_drops_its_share() -> None:
    flows = [Flow(4, port, 7000) for port in range(20_000, 20_400)]
    with Lab() as lab, contextlib.ExitStack() as opened:
        for flow in flows:
            lab.filter.lossy(flow, 25, to_client=False)
        clients = [opened.enter_context(lab.client.call(socket.socket)) for _ in flows]
        for flow, client in zip(flows, clients, strict=True):
            client.setblocking(False)
            client.bind(("", flow.client_port))
            # Nobody listens: each SYN that gets through is answered with RST, and nothing more is sent.
            client.connect_ex((lab.server.addresses[4], flow.server_port))
        refused = sum(client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNREFUSED for client in clients)
        assert lab.filter.counters()["lossy-2500"] == len(flows) - refused
        # 100 are expected to vanish, with a standard deviation of 8.7: six of these either way.
        assert 48 <= len(flows) - refused <= 152


@BOTH
@pytest.mark.inside
def test_lossy_of_all_and_none(ipv: int) -> None:
    with Lab() as lab, connected(lab, ipv) as connection:
        lab.filter.lossy(connection.flow, 0)
        connection.client.sendall(b"1")
        assert hears(connection.server, b"1")
        done = lab.filter.lossy(connection.flow, 100, to_client=False)
        connection.client.sendall(b"2")
        assert hears_nothing(connection.server)
        done.undo()
        assert hears(connection.server, b"2")
        with pytest.raises(LabError, match="0 to 100"):
            lab.filter.lossy(connection.flow, 101)


@pytest.mark.parametrize(
    ("ipv", "kind", "icmp"),
    [
        (4, "net", (3, 0)),
        (4, "host", (3, 1)),
        (4, "admin", (3, 13)),
        (6, "net", (1, 0)),
        (6, "host", (1, 3)),
        (6, "admin", (1, 1)),
    ],
)
@pytest.mark.inside
def test_reject_answers_icmp_and_drops_the_other_way(ipv: int, kind: str, icmp: tuple[int, int]) -> None:
    with Lab() as lab, connected(lab, ipv) as connection:
        captures = dict(open_capture(lab))
        done = lab.filter.reject(connection.flow, kind)
        connection.server.sendall(b"2")
        connection.client.sendall(b"1")
        assert hears_nothing(connection.client)
        done.undo()
        assert hears(connection.server, b"1")
        assert hears(connection.client, b"2")
        assert set(_icmp(captures["r-client"], ipv)) == {icmp}
        assert _icmp(captures["r-server"], ipv) == []
        for capture in captures.values():
            capture.close()


@BOTH
@pytest.mark.inside
def test_reject_answers_every_packet(ipv: int) -> None:
    with Lab() as lab:
        captures = dict(open_capture(lab))
        for port in range(20_000, 20_050):
            lab.filter.reject(Flow(ipv, port, 7000), "host")
            with lab.client.call(socket.socket, FAMILY[ipv]) as client:
                client.setblocking(False)
                client.bind(("", port))
                client.connect_ex((lab.server.addresses[ipv], 7000))
        assert len(_icmp(captures["r-client"], ipv)) == 50
        for capture in captures.values():
            capture.close()


@pytest.mark.inside
def test_reject_toward_the_client_ends_the_servers_connection() -> None:
    with Lab() as lab, connected(lab, 4) as connection:
        # With IP_RECVERR, TCP takes ICMP errors for fatal (ip(7)).
        connection.server.setsockopt(*_RECVERR[4], 1)
        lab.filter.reject(connection.flow, "host", toward="client")
        connection.server.sendall(b"1")
        assert error_of(connection.server) == errno.EHOSTUNREACH
        with pytest.raises(LabError, match="host, net and admin"):
            lab.filter.reject(connection.flow, "port")  # type: ignore[arg-type]  # the refusal is what is tested


@BOTH
@pytest.mark.inside
def test_reset_answers_the_sender(ipv: int) -> None:
    with Lab() as lab, connected(lab, ipv) as connection, connected(lab, ipv, 7001) as other:
        lab.filter.reset(connection.flow)
        connection.client.sendall(b"1")
        assert error_of(connection.client) == errno.ECONNRESET
        assert hears_nothing(connection.server)
        done = lab.filter.reset(other.flow, to_client=False)
        other.server.sendall(b"2")
        assert hears(other.client, b"2")
        done.undo()


@pytest.mark.parametrize("toward", ["client", "server"])
@BOTH
@pytest.mark.inside
def test_shrunken_mtu_is_a_black_hole_one_way(ipv: int, toward: str) -> None:
    with Lab() as lab, connected(lab, ipv) as connection:
        ends = {"client": connection.client, "server": connection.server}
        far, near = ends.pop(toward), next(iter(ends.values()))
        captures = dict(open_capture(lab))
        done = lab.filter.shrink_mtu(connection.flow, toward, 1300)
        far.sendall(bytes(1400))
        assert hears(near, bytes(1400))
        near.sendall(bytes(1000))
        assert hears(far, bytes(1000))
        near.sendall(bytes(1400))
        assert hears_nothing(far)
        assert [_icmp(capture, ipv) for capture in captures.values()] == [[], []]
        assert lab.filter.counters()["mtu-1300"] >= 1
        done.undo()
        assert hears(far, bytes(1400))
        assert lab.filter.counters()["mtu-1300"] >= 1
        for capture in captures.values():
            capture.close()


@pytest.mark.inside
def test_mtu_is_exact_and_both_sides_are_apart() -> None:
    with Lab() as lab, connected(lab, 4) as connection:
        headers = 20 + 32
        lab.filter.shrink_mtu(connection.flow, "server", 1000 + headers)
        shrunk = lab.filter.shrink_mtu(connection.flow, "client", 1100 + headers)
        connection.client.sendall(bytes(1000))
        assert hears(connection.server, bytes(1000))
        connection.server.sendall(bytes(1100))
        assert hears(connection.client, bytes(1100))
        shrunk.undo()
        connection.server.sendall(bytes(1101))
        assert hears(connection.client, bytes(1101))
        lab.filter.shrink_mtu(connection.flow, "client", 1100 + headers)
        connection.client.sendall(bytes(1001))
        assert hears_nothing(connection.server)
        connection.server.sendall(bytes(1101))
        assert hears_nothing(connection.client)
        with pytest.raises(LabError, match="68 to 65535"):
            lab.filter.shrink_mtu(connection.flow, "client", 67)


@pytest.mark.parametrize(("number", "told"), [(errno.ENOENT, True), (errno.EOPNOTSUPP, True), (errno.EBUSY, False)])
def test_what_the_kernel_lacks_is_named(number: int, told: bool) -> None:
    refusal = NetlinkRefusal("the kernel refused it", number)
    error = nft.missing(refusal, "this packet fault", "nf_tables nft_numgen")
    assert (error is not refusal) is told
    assert ("'modprobe -a nf_tables nft_numgen'" in str(error)) is told


def _icmp(capture: socket.socket, ipv: int) -> list[tuple[int, int]]:
    """Type and code of each ICMP message captured."""
    found = []
    protocol_at, header_at, protocol = (23, 34, socket.IPPROTO_ICMP) if ipv == 4 else (20, 54, socket.IPPROTO_ICMPV6)
    while True:
        try:
            frame = capture.recv(1 << 17)
        except BlockingIOError:
            return found
        if frame[protocol_at] == protocol:
            found.append((frame[header_at], frame[header_at + 1]))
