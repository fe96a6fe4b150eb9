"""What an agent's tap tells of the packets on its host."""

import base64
import struct
from pathlib import Path

import pytest

from netns import nft
from tests.lab.bundled import Open
from tests.lab.nethost import alone, encoded

SYN, FIN, PSH, ACK = 2, 1, 8, 16


class Tapped:
    def __init__(self, host):
        self.agent = alone()
        for name in ("a", "b"):
            self.agent.fork(name)
        self.agent.ask("tap", devices={"data": "lo"})
        self.open, self.other = Open(self.agent, host=host), Open(self.agent, host=host)
        self.header = 14 + (40 if ":" in host else 20)

    def frames(self):
        """All that came before the answer to "drain"."""
        assert self.agent.ask("drain")["lost"] == 0
        events = [event for event in self.agent._read if event.get("event") == "frames"]
        self.agent._read = [event for event in self.agent._read if event.get("event") != "frames"]
        assert all(event["lost"] == 0 for event in events)
        return [Frame(self.header, *frame) for event in events for frame in event["frames"]]


class Frame:
    def __init__(self, header, label, outgoing, at, length, data):
        self.label, self.outgoing, self.at, self.length = label, outgoing, at, length
        self.data = base64.b64decode(data)
        self.ports = struct.unpack_from("!HH", self.data, header)
        self.sequence = struct.unpack_from("!I", self.data, header + 4)[0]
        self.flags = self.data[header + 13]


@pytest.fixture(params=["127.0.0.1", "::1"])
def host(request):
    host = Tapped(request.param)
    yield host
    assert host.agent.end() == (0, "")


def test_what_concerns_a_watched_port_is_told_in_order_with_its_instants(host):
    assert host.frames() == []  # nothing was watched while the connections were opened
    host.agent.ask("watch", port=host.open.client_port)
    for _ in range(3):
        before = host.agent.ask("now")["at"]
        host.other.ask("ping")
        host.open.ask("ping")
        host.open.event("pong"), host.other.event("pong")
        frames = host.frames()
        assert {frame.label for frame in frames} == {"data"}
        assert {frozenset(frame.ports) for frame in frames} == {
            frozenset((host.open.client_port, host.open.server_port))
        }
        assert before <= frames[0].at and frames[-1].at <= host.agent.ask("now")["at"]
        assert [frame.at for frame in frames] == sorted(frame.at for frame in frames)
        # On the loopback each packet leaves and then arrives.
        assert [frame.outgoing for frame in frames] == [True, False] * (len(frames) // 2)
        data = [frame for frame in frames if frame.flags & PSH and frame.outgoing]
        assert [frame.ports[0] for frame in data] == [host.open.client_port, host.open.server_port]
        assert all(frame.length == len(frame.data) == host.header + 32 + 1 for frame in data)


def test_what_is_unwatched_is_told_up_to_then_and_no_more(host):
    host.agent.ask("watch", port=host.open.server_port)
    host.open.ask("ping"), host.open.event("pong")
    host.agent.ask("unwatch", port=host.open.server_port)
    assert any(frame.flags & PSH for frame in host.frames())
    host.open.ask("ping"), host.open.event("pong")
    assert host.frames() == []


def test_long_frames_are_told_by_their_beginning_and_their_length(host):
    host.agent.ask("watch", port=host.open.server_port)
    host.agent.ask("write", "a", conn=host.open.conn, count=1000)
    host.agent.ask("write", "a", conn=host.open.conn, count=1000)
    long = [frame for frame in host.frames() if frame.length > 1000]
    assert long and all(len(frame.data) == 256 for frame in long)
    assert long[0].length == host.header + 32 + 1000


def test_icmp_errors_about_a_watched_port_are_told(host):
    ports = {host.open.server_port: 1, host.other.server_port: 0}
    reject = nft.match_tcp() + nft.reject(nft.REJECT_ICMPX, nft.ICMPX_HOST)
    rule = encoded(nft.new_table(), nft.new_chain("in", nft.LOCAL_IN), nft.new_rule("in", "reject", reject))
    host.agent.ask("watch", port=host.open.server_port)
    assert host.agent.ask("netlink", **rule)["errno"] == 0
    host.other.ask("ping"), host.open.ask("ping")
    quoted = host.header + 8 + (40 if host.header > 34 else 20)
    kind = 58 if host.header > 34 else 1
    errors = [frame for frame in host.frames() if frame.data[20 if kind == 58 else 23] == kind]
    assert errors
    for frame in errors:
        assert ports[struct.unpack_from("!HH", frame.data, quoted)[1]] == 1


def test_so_many_ports_that_the_kernels_filter_cannot_hold_them(host):
    host.agent.ask("tap", devices={"data": "lo"}, ports=[*range(1, 600), host.open.server_port])
    host.other.ask("ping"), host.open.ask("ping"), host.open.event("pong"), host.other.event("pong")
    frames = host.frames()
    assert frames and {host.open.server_port} == {
        port for frame in frames for port in frame.ports if port != host.open.client_port
    }


def test_as_many_ports_as_the_kernels_filter_holds(host):
    host.agent.ask("tap", devices={"data": "lo"}, ports=[*range(1, 500), host.open.server_port])
    host.open.ask("ping"), host.open.event("pong")
    assert host.frames()


def test_an_endpoint_holds_no_packet_socket(host):
    pid = host.agent.fork("late")
    mine, its = (
        {each.readlink().name for each in Path(f"/proc/{number}/fd").iterdir()}
        for number in (host.agent.process.pid, pid)
    )
    assert not {name for name in mine & its if name.startswith("socket:")}
