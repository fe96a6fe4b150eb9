import pytest
from wire import TRANSIT_S, Wire

from harness.observe.packets import Packet
from harness.observe.segments import after
from harness.observe.trace import FlowKey, Trace, key_of


@pytest.fixture
def wire():
    wire = Wire()
    assert wire.handshake() == ["syn", "syn-ack", "ack"]
    return wire


def test_what_passes_has_both_instants(wire):
    segment = wire.send("client", seq=1001, ack=5001, flags="PA", payload=5)
    assert (segment.role, segment.sender, segment.dropped) == ("data", "client", False)
    assert segment.left_at - segment.arrived_at == pytest.approx(TRANSIT_S)
    assert wire.trace.dropped(0) == []


def test_an_arrival_without_departure_is_a_drop(wire):
    cut = wire.now
    lost = wire.lose("client", seq=1001, ack=5001, flags="PA", payload=5)
    assert wire.trace.dropped(cut) == [lost]
    assert wire.trace.dropped(cut, sender="server") == []
    assert wire.trace.dropped(cut, before=cut + 0.5) == []
    assert wire.trace.to("server", cut) == []


def test_of_equal_segments_the_one_that_left_is_the_last(wire):
    probe = {"seq": 1000, "ack": 5001}
    lost = [wire.lose("client", **probe), wire.lose("client", **probe)]
    passed = wire.send("client", **probe)
    assert wire.trace.dropped(0) == lost
    assert wire.trace.probes("client", 0) == [*lost, passed]


def test_retransmission_is_told_from_new_data(wire):
    first = wire.lose("client", seq=1001, ack=5001, flags="PA", payload=5)
    again = wire.lose("client", seq=1001, ack=5001, flags="PA", payload=5)
    more = wire.lose("client", seq=1006, ack=5001, flags="PA", payload=5)
    assert [s.role for s in (first, again, more)] == ["data", "retransmission", "data"]
    assert again.again and not more.again


def test_keepalive_probe_and_its_answer(wire):
    probe = wire.send("client", seq=1000, ack=5001)
    answer = wire.send("server", seq=5001, ack=1001)
    plain = wire.send("server", seq=5001, ack=1001)
    assert [s.role for s in (probe, answer, plain)] == ["keepalive probe", "keepalive answer", "ack"]
    assert wire.trace.first("keepalive answer", "server") is answer


def test_an_undelivered_probe_is_owed_no_answer(wire):
    wire.lose("client", seq=1000, ack=5001)
    assert wire.send("server", seq=5001, ack=1001).role == "ack"


def test_one_octet_before_the_next_is_a_probe_only_if_all_was_acknowledged(wire):
    octet = {"seq": 1001, "ack": 5001, "payload": 1}
    assert wire.send("client", **octet).role == "data"
    wire.lose("server", seq=5001, ack=1002)
    assert wire.send("client", **octet).role == "retransmission"
    wire.send("server", seq=5001, ack=1002)
    assert wire.send("client", **octet).role == "keepalive probe"


def test_the_window_told_decides_which_probe_it_is(wire):
    wire.send("client", seq=1001, ack=5001, payload=5)
    closed = wire.send("server", seq=5001, ack=1006, window=0)
    assert wire.trace.window_closed_at("client") == closed.left_at
    probe = wire.send("client", seq=1005, ack=5001)
    answer = wire.send("server", seq=5001, ack=1006, window=0)
    assert (probe.role, answer.role) == ("window probe", "window answer")
    assert wire.trace.window_closed_at("client") == closed.left_at
    wire.send("server", seq=5001, ack=1006, window=9)
    assert wire.trace.window_closed_at("client") is None
    assert wire.send("client", seq=1005, ack=5001).role == "keepalive probe"


def test_a_window_probe_may_carry_the_next_octet(wire):
    wire.send("server", seq=5001, ack=1001, window=0)
    assert wire.send("client", seq=1001, ack=5001, payload=1).role == "window probe"


def test_a_closed_window_that_never_arrived_changes_nothing(wire):
    wire.lose("server", seq=5001, ack=1001, window=0)
    assert wire.trace.window_closed_at("client") is None
    assert wire.send("client", seq=1000, ack=5001).role == "keepalive probe"


def test_sequence_numbers_wrap():
    wire = Wire()
    wire.handshake(client=0xFFFFFFFC)
    roles = [
        wire.send("client", seq=0xFFFFFFFD, ack=5001, payload=3).role,
        wire.send("client", seq=0, ack=5001, payload=4).role,
        wire.send("client", seq=0xFFFFFFFD, ack=5001, payload=3).role,
        wire.send("client", seq=3, ack=5001).role,
    ]
    assert roles == ["data", "data", "retransmission", "keepalive probe"]
    wire = Wire()
    wire.handshake(client=0xFFFFFFFF)
    assert wire.send("client", seq=0xFFFFFFFF, ack=5001).role == "keepalive probe"
    assert (after(0, 0xFFFFFFFF), after(0xFFFFFFFF, 0), after(7, 7)) == (1, -1, 0)


def test_fin_and_its_repetition(wire):
    fin = {"seq": 1001, "ack": 5001, "flags": "FA"}
    first, second = wire.lose("client", **fin), wire.lose("client", **fin)
    assert [(s.role, s.again) for s in (first, second)] == [("fin", False), ("fin", True)]
    assert wire.trace.all("fin", "client") == [first, second]


def test_repeated_syns_are_syns():
    wire = Wire()
    syns = [wire.lose("client", seq=1000, flags="S") for _ in range(3)]
    assert [(s.role, s.again) for s in syns] == [("syn", False), ("syn", True), ("syn", True)]
    assert wire.trace.first("syn") is syns[0]


def test_ports_used_anew_are_another_connection(wire):
    wire.send("client", seq=1001, ack=5001, payload=5)
    assert wire.handshake(client=900, server=90) == ["syn", "syn-ack", "ack"]
    assert wire.send("client", seq=901, ack=91, payload=5).role == "data"
    assert wire.send("client", seq=905, ack=91).role == "keepalive probe"


def test_capture_that_begins_in_the_middle_learns_from_acknowledgments():
    wire = Wire()
    wire.send("server", seq=5001, ack=1001)
    assert wire.send("client", seq=1000, ack=5001).role == "keepalive probe"


def test_what_the_router_says_itself_has_no_arrival(wire):
    cut = wire.now
    reset = wire.inject("server", seq=5001, ack=1001, flags="RA")
    error = wire.inject("server", icmp="host unreachable", icmp_sport=40000, icmp_dport=7000, sport=0, dport=0)
    assert (reset.role, error.role) == ("rst", "icmp")
    assert wire.trace.to("client", cut) == [reset, error]
    assert (reset.arrived_at, error.arrived_at) == (None, None)
    assert wire.trace.dropped(cut) == []


def test_last_heard_counts_segments_that_left_only(wire):
    heard = wire.send("server", seq=5001, ack=1001, payload=3)
    wire.lose("server", seq=5004, ack=1001, payload=3)
    wire.inject("server", icmp="host unreachable", icmp_sport=40000, icmp_dport=7000, sport=0, dport=0)
    assert wire.trace.last_heard("client") == heard.left_at
    assert wire.trace.last_heard("client", before=heard.at - 5) is None
    assert wire.trace.last("server").packet.seq == 5004


def test_a_departure_read_before_its_arrival_is_one_segment(wire):
    fields = {"seq": 1001, "ack": 5001, "flags": "PA", "payload": 5}
    left = wire.packet("client", True, 200.00002, **fields)
    arrived = wire.packet("client", False, 200.0, **fields)
    segment = wire.trace.feed(left)
    assert wire.trace.feed(arrived) is segment
    assert (segment.role, segment.arrived_at, segment.left_at) == ("data", 200.0, 200.00002)


def test_a_large_segment_may_leave_in_pieces(wire):
    segment = wire.lose("client", seq=1001, ack=5001, flags="PA", payload=3000)
    pieces = [(1001, 1448, "."), (2449, 1448, "."), (3897, 104, "PA")]
    for seq, payload, flags in pieces:
        packet = wire.packet("client", True, wire.now + 0.001, seq=seq, ack=5001, flags=flags, payload=payload)
        assert wire.trace.feed(packet) is segment
    assert wire.trace.dropped(0) == []
    assert wire.send("client", seq=4001, ack=5001, payload=1).role == "data"


def test_masquerading_changes_nothing(wire):
    arrived = wire.lose("client", seq=1001, ack=5001, payload=5)
    masked = Packet(
        wire.now + 0.0001, "r-server", True, 4, "198.18.2.1", "198.18.2.2", 40000, 7000, 1001, 5001, ".", 500, 5
    )
    assert wire.trace.feed(masked) is arrived
    assert not arrived.dropped


def test_history_is_bounded_and_says_so():
    trace = Trace(FlowKey(40000, 7000, 4), keep=10)
    wire = Wire(trace.feed)
    for number in range(200):
        wire.send("client", seq=1001 + number, ack=5001, payload=1)
    assert 10 <= len(trace.segments) < 20
    assert trace.forgotten + len(trace.segments) == 200
    assert trace.segments[-1].packet.seq == 1200


def test_memory_of_drops_is_bounded():
    wire = Wire()
    for _ in range(2000):
        wire.lose("client", seq=1000, ack=5001)
    assert len(wire.trace._unpaired) <= 512
    assert len(wire.trace.dropped(0)) == 2000


def test_both_directions_on_both_devices_are_one_flow():
    wire = Wire()
    packets = [wire.packet(sender, outgoing, 1.0) for sender in ("client", "server") for outgoing in (False, True)]
    assert {key_of(packet) for packet in packets} == {FlowKey(40000, 7000, 4)}
    assert key_of(wire.packet("server", False, 1.0, dport=40001)) == FlowKey(40001, 7000, 4)


@pytest.mark.parametrize(
    ("sender", "sport", "dport"), [("server", 40000, 7000), ("client", 7000, 40000)], ids=["to client", "to server"]
)
def test_an_icmp_error_belongs_to_the_flow_that_it_is_about(sender, sport, dport):
    about = {"icmp": "host unreachable", "icmp_sport": sport, "icmp_dport": dport, "sport": 0, "dport": 0}
    assert key_of(Wire().packet(sender, True, 300.0, **about)) == FlowKey(40000, 7000, 4)


def test_what_was_acknowledged_in_time_is_known_and_an_acknowledgment_that_is_lost_is_not(wire):
    first = wire.send("client", seq=1001, ack=5001, flags="PA", payload=5)
    wire.send("server", seq=5001, ack=1006)
    acknowledged = wire.now
    second = wire.send("client", seq=1006, ack=5001, flags="PA", payload=5)
    wire.lose("server", seq=5001, ack=1011)
    third = wire.lose("client", seq=1011, ack=5001, flags="PA", payload=5)
    assert wire.trace.unacknowledged("client", acknowledged) == [second, third]
    assert wire.trace.unacknowledged("client", wire.now) == [second, third]
    assert wire.trace.unacknowledged("client", first.at) == [first, second, third]


def test_an_rst_is_no_word_of_a_living_peer(wire):
    answer = wire.send("server", seq=5001, ack=1001)
    wire.send("server", seq=5001, flags="R")
    assert wire.trace.last_heard("client") == answer.left_at
