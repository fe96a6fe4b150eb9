"""Packets from taps on two hosts, told as a router between them would have seen them."""

import asyncio
import base64

from frames import ethernet, ipv4, tcp

from harness.labs.protocols import Flow
from harness.labs.ssh.packets import Packets
from harness.observe.trace import FlowKey, Trace

FLOW = Flow(ipv=4, client_port=40_000, server_port=7000)
CLIENT, SERVER = "198.18.1.2", "198.18.2.2"
MS = 1_000_000
# The client's clock is this far ahead of the lab's, which is the server's.
AHEAD = 5_000 * MS


def frame(host, outgoing, at, from_client, seq, data=b"", label=None):
    """One frame as an agent's tap tells of it; ``at``: lab's clock, ns."""
    ports = (FLOW.client_port, FLOW.server_port) if from_client else (FLOW.server_port, FLOW.client_port)
    ends = (CLIENT, SERVER) if from_client else (SERVER, CLIENT)
    raw = ethernet(ipv4(*ends, tcp(*ports, seq, data=data)))
    said = at + AHEAD if host == "client" else at
    return [label or host, outgoing, said, len(raw), base64.b64encode(raw).decode()]


def traced(events, unheard=lambda device, key, at: False):
    """Return the trace of what (host, frames) tell, asked for all there is."""
    trace = Trace(FlowKey(FLOW.client_port, FLOW.server_port, 4))

    async def take():
        packets = Packets(lambda host, at: at - AHEAD if host == "client" else at, unheard)
        packets.listen(FLOW, trace.feed)
        for host, frames in events:
            packets.take(host, {"frames": frames, "lost": 0})
        packets.hand_over()
        packets.close()
        return packets

    return trace, asyncio.run(take())


def test_what_one_sends_and_the_other_receives_is_one_segment_that_passed():
    """The receiver's frames may come first: they are put into the order of the lab's clock."""
    trace, _ = traced([
        ("server", [frame("server", False, 30 * MS, True, 1, b"x")]),
        ("client", [frame("client", True, 10 * MS, True, 1, b"x")]),
    ])  # fmt: skip
    (segment,) = trace.segments
    assert (segment.sender, segment.arrived_at, segment.left_at) == ("client", 0.010, 0.030)


def test_what_never_arrives_is_dropped():
    trace, _ = traced([("client", [frame("client", True, 10 * MS, True, 1, b"x")])])
    assert [segment.sender for segment in trace.dropped(0.0)] == ["client"]


def test_what_arrives_at_a_deaf_host_is_dropped_there():
    events = [
        ("server", [frame("server", True, 10 * MS, False, 1, b"x"), frame("server", True, 50 * MS, False, 2, b"y")]),
        ("client", [frame("client", False, 11 * MS, False, 1, b"x"), frame("client", False, 51 * MS, False, 2, b"y")]),
    ]
    trace, _ = traced(events, lambda device, key, at: device == "r-client" and at >= 40 * MS)
    assert [(s.packet.seq, s.dropped) for s in trace.segments] == [(1, False), (2, True)]


def test_a_routers_own_taps_are_told_as_they_are():
    trace, _ = traced([
        ("router", [
            frame("router", False, 10 * MS, True, 1, b"x", "r-client"),
            frame("router", True, 11 * MS, True, 1, b"x", "r-server"),
        ]),
    ])  # fmt: skip
    (segment,) = trace.segments
    assert (segment.arrived_at, segment.left_at) == (0.010, 0.011)


def test_other_flows_are_nobodys_and_losses_add_up():
    heard = []

    async def take():
        packets = Packets(lambda host, at: at, lambda device, key, at: False)
        packets.listen(Flow(ipv=4, client_port=1, server_port=7000), heard.append)
        packets.take("client", {"frames": [frame("client", True, MS, True, 1)], "lost": 2})
        packets.take("server", {"frames": [], "lost": 3})
        packets.hand_over()
        return packets.lost

    assert asyncio.run(take()) == 5
    assert heard == []


def test_frames_are_handed_over_unasked_after_a_moment():
    heard = []

    async def take():
        packets = Packets(lambda host, at: at, lambda device, key, at: False)
        packets.listen(FLOW, heard.append)
        packets.take("client", {"frames": [frame("client", True, MS, True, 1)], "lost": 0})
        assert heard == []
        async with asyncio.timeout(2):
            while not heard:
                await asyncio.sleep(0.01)
        packets.close()

    asyncio.run(take())
    assert len(heard) == 1
