"""The lab as a whole: it connects, its packets are wire-true, it can be had again, and by several at once."""

import os
import socket

import pytest
from lab_connections import FAMILY, connected, hears

from netns.capture import open_capture
from netns.errors import LabError
from netns.filter import Flow
from netns.lab import Lab

BOTH = pytest.mark.parametrize("ipv", [4, 6])


def _links() -> list[str]:
    return sorted(name for _, name in socket.if_nameindex())


@BOTH
@pytest.mark.inside
def test_client_and_server_connect(user: str, ipv: int) -> None:
    with Lab() as lab, connected(lab, ipv) as connection:
        connection.client.sendall(b"to server")
        assert hears(connection.server, b"to server")
        connection.server.sendall(b"to client")
        assert hears(connection.client, b"to client")
        assert connection.client.getsockname()[0] == lab.client.addresses[ipv]
        assert connection.server.getpeername()[0] == lab.client.addresses[ipv]


@BOTH
@pytest.mark.inside
def test_the_first_packet_gets_through(ipv: int) -> None:
    # A SYN that met a link not yet ready would be sent again after 1 s.
    for _ in range(10):
        with Lab() as lab:
            address = (lab.server.addresses[ipv], 7000)
            with lab.server.call(socket.create_server, address, family=FAMILY[ipv]):
                lab.client.call(socket.create_connection, address, 0.9).close()


@pytest.mark.inside
def test_loopback_is_up_in_the_hosts() -> None:
    with Lab() as lab:
        for host in lab.hosts.values():
            with (
                host.call(socket.create_server, ("127.0.0.1", 7000)),
                host.call(socket.create_server, ("::1", 7000), family=socket.AF_INET6),
            ):
                host.call(socket.create_connection, ("127.0.0.1", 7000), 1).close()
                host.call(socket.create_connection, ("::1", 7000), 1).close()


@BOTH
@pytest.mark.inside
def test_captured_packets_are_as_long_as_a_wire_would_carry(user: str, ipv: int) -> None:
    with Lab() as lab, connected(lab, ipv) as connection:
        captures = open_capture(lab)
        data = os.urandom(100_000)
        connection.client.sendall(data)
        assert hears(connection.server, data)
        for device, capture in captures:
            frames = _drain(capture)
            capture.close()
            assert sum(map(len, frames)) > len(data), device
            assert max(map(len, frames)) <= 1514, device


@pytest.mark.inside
def test_only_tcp_and_icmp_are_captured() -> None:
    with Lab() as lab:
        captures = open_capture(lab)
        server = (lab.server.addresses[4], 7000)
        with lab.client.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
            datagrams.sendto(b"x", server)  # answered with ICMP port unreachable
        with pytest.raises(ConnectionRefusedError):
            lab.client.call(socket.create_connection, server, 1)
        with lab.client.call(socket.socket, socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as raw:
            for kind in (128, 135):  # echo request, neighbour solicitation
                raw.sendto(bytes([kind, 0, 0, 0]) + bytes(20), (lab.server.addresses[6], 0))
        assert [device for device, _ in captures] == ["r-client", "r-server"]
        for _, capture in captures:
            frames = _drain(capture)
            capture.close()
            # ICMP; SYN and RST; echo request and reply. The kernel validates no ICMPv6 checksum that it fills in.
            ipv4 = [frame[23] for frame in frames if frame[12:14] == b"\x08\x00"]
            ipv6 = [frame[54] for frame in frames if frame[12:14] == b"\x86\xdd"]
            assert ipv4 == [socket.IPPROTO_ICMP, socket.IPPROTO_TCP, socket.IPPROTO_TCP]
            assert ipv6 == [128, 129]


def _drain(capture: socket.socket) -> list[bytes]:
    frames = []
    while True:
        try:
            frames.append(capture.recv(1 << 17))
        except BlockingIOError:
            return frames


@pytest.mark.inside
def test_orphans_and_metrics_are_tamed() -> None:
    with Lab() as lab:
        for host in lab.hosts.values():
            assert host.get_sysctl("net.ipv4.tcp_orphan_retries") == "1"
            assert host.get_sysctl("net.ipv4.tcp_no_metrics_save") == "1"


@pytest.mark.inside
def test_closing_leaves_the_router_as_it_was(user: str) -> None:
    before = _links()
    lab = Lab()
    assert _links() == sorted([*before, "r-client", "r-server"])
    assert lab.filter.counters()["total"] == 0
    lab.close()
    lab.close()
    assert _links() == before
    with pytest.raises(LabError, match="closed"):
        _ = lab.filter
    with Lab() as again:
        # Were the first lab's table still there, its chain would refuse to be made anew with another hook.
        assert again.filter.counters() == {"cut": 0, "total": 0}


@pytest.mark.inside
def test_an_exception_leaves_nothing() -> None:
    before = _links()
    with pytest.raises(ZeroDivisionError), Lab():
        raise ZeroDivisionError
    assert _links() == before


@pytest.mark.inside
def test_two_labs_at_a_time_in_one_program_know_nothing_of_each_other() -> None:
    with Lab() as first, Lab() as second:
        cut = second.filter.cut(Flow(4, 40_000, 40_001))
        assert (len(first.client.sockets()), first.filter.counters()["total"]) == (0, 0)
        first.client.set_sysctl("net.ipv4.tcp_retries2", 3)
        assert second.client.get_sysctl("net.ipv4.tcp_retries2") != "3"
        cut.undo()
    with Lab() as again:
        assert again.router.get_sysctl("net.ipv4.ip_forward") == "1"


@pytest.mark.inside(enter=False)
def test_a_lab_outside_is_refused() -> None:
    with pytest.raises(LabError, match="not entered"):
        Lab()


@pytest.mark.inside
def test_a_lab_that_cannot_be_built_leaves_nothing() -> None:
    from netns import wiring

    make_links = wiring.make_links
    before = _links()
    try:
        # The second veth pair wants a namespace that is none.
        wiring.make_links = lambda fds: make_links({**fds, "server": 0})
        with pytest.raises(LabError, match="links cannot be made"):
            Lab()
    finally:
        wiring.make_links = make_links
    assert _links() == before
    Lab().close()


@pytest.mark.inside(enter=False)
def test_several_programs_have_labs_at_the_same_time() -> None:
    from netns.enter import enter

    children = []
    for _ in range(3):
        ready_reading, ready_writing = os.pipe()
        go_reading, go_writing = os.pipe()
        child = os.fork()
        if child == 0:
            code = 1
            try:
                os.close(go_writing)
                enter()
                with Lab() as lab:
                    os.write(ready_writing, b"1")
                    os.read(go_reading, 1)
                    with connected(lab, 6) as connection:
                        connection.client.sendall(b"x")
                        code = 0 if hears(connection.server, b"x") else 1
            finally:
                os._exit(code)
        os.close(ready_writing)
        os.close(go_reading)
        children.append((child, ready_reading, go_writing))
    # All have theirs before any goes on.
    assert [os.read(ready, 1) for _, ready, _ in children] == [b"1"] * 3
    for _, ready, go in children:
        os.close(ready)
        os.close(go)
    assert [os.waitpid(child, 0)[1] for child, _, _ in children] == [0, 0, 0]


@pytest.mark.inside
def test_nothing_is_said_between_the_hosts_unasked() -> None:
    with Lab() as lab:
        everything = lab.router.call(socket.socket, socket.AF_PACKET, socket.SOCK_RAW, 0)
        everything.bind(("r-client", 0x0003))
        everything.setblocking(False)
        with connected(lab, 6):
            pass
        with connected(lab, 4):
            pass
        frames = _drain(everything)
        kinds = {frame[20] for frame in frames if frame[12:14] == b"\x86\xdd"}
        everything.close()
        assert socket.IPPROTO_TCP in kinds
        assert socket.IPPROTO_ICMPV6 not in kinds
        # ARP: EtherType 0x0806.
        assert b"\x08\x00" in {frame[12:14] for frame in frames}
        assert b"\x08\x06" not in {frame[12:14] for frame in frames}
