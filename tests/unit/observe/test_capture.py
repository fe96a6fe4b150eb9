import errno
import socket
import struct
import time

import pytest
from frames import ethernet, ipv4, tcp

from harness.doctor import inside, missing
from harness.doctor.capability import Finding
from harness.doctor.child import findings_of
from harness.observe.capture import Capture
from harness.observe.pcap import PcapWriter


def frame(seq, data=b""):
    return ethernet(ipv4("198.18.1.2", "198.18.2.2", tcp(40000, 7000, seq, data=data)))


class FakeSocket:
    """Speaks as AF_PACKET does: frames with a time stamp and a packet type, then nothing; counts of drops."""

    def __init__(self, *arrivals, refills=(), lost=()):
        self.arrivals, self.refills, self.lost = list(arrivals), list(refills), list(lost)

    def setblocking(self, flag):
        assert flag is False

    def setsockopt(self, *args):
        pass

    def fileno(self):
        return 7

    def recvmsg_into(self, buffers, room, flags):
        assert flags == socket.MSG_TRUNC
        if not self.arrivals:
            self.arrivals += self.refills.pop(0) if self.refills else []
            raise BlockingIOError
        found = self.arrivals.pop(0)
        if isinstance(found, OSError):
            raise found
        data, real_ns, outgoing = found
        size = min(len(data), len(buffers[0]))
        buffers[0][:size] = data[:size]
        stamp = struct.pack("@ll", *divmod(real_ns, 10**9)) if real_ns else None
        ancillary = [(socket.SOL_SOCKET, 35, stamp)] if stamp else []
        return len(data), ancillary, 0, ("r-client", 0x0800, 4 if outgoing else 0, 1, bytes(6))

    def getsockopt(self, level, option, size):
        assert (level, option, size) == (263, 6, 8)
        return struct.pack("@II", *(self.lost.pop(0) if self.lost else (0, 0)))


def test_packets_of_both_devices_come_in_the_order_of_time():
    now = time.time_ns()
    client = FakeSocket((frame(1), now, False), (frame(2), now + 3000, False))
    server = FakeSocket((frame(1), now + 1000, True), (frame(2), now + 4000, True))
    seen = []
    # The server's side first: its departures are then read before the arrivals that they belong to.
    capture = Capture([("r-server", server), ("r-client", client)], seen.append)
    assert capture.read_ready(server) == 4
    assert [(p.device, p.outgoing, p.seq) for p in seen] == [
        ("r-client", False, 1),
        ("r-server", True, 1),
        ("r-client", False, 2),
        ("r-server", True, 2),
    ]


def test_what_comes_in_while_reading_belongs_to_the_batch():
    now = time.time_ns()
    client = FakeSocket((frame(1), now, False), refills=[[(frame(2), now + 1000, False)]])
    server = FakeSocket((frame(2), now + 2000, True))
    seen = []
    Capture([("r-client", client), ("r-server", server)], seen.append).read_ready()
    assert [(p.seq, p.outgoing) for p in seen] == [(1, False), (2, False), (2, True)]


def test_instants_are_monotonic_seconds_of_the_kernels_stamp():
    before = time.monotonic()
    stamp = time.time_ns() - 250_000_000
    after = time.monotonic()
    seen = []
    Capture([("r-client", FakeSocket((frame(1), stamp, False)))], seen.append).read_ready()
    # CLOCK_REALTIME may be adjusted meanwhile, by far less than a millisecond.
    assert before - 0.251 <= seen[0].at <= after - 0.249


def test_without_a_stamp_it_is_the_instant_of_reading():
    seen = []
    before = time.monotonic()
    Capture([("r-client", FakeSocket((frame(1), None, False)))], seen.append).read_ready()
    assert before - 0.001 <= seen[0].at <= time.monotonic() + 0.001


def test_frames_cut_short_keep_their_length():
    seen = []
    Capture([("r-client", FakeSocket((frame(1, bytes(1400)), 1, False)))], seen.append).read_ready()
    assert seen[0].payload == 1400


def test_a_flood_is_taken_in_bounded_batches():
    client = FakeSocket(*[(frame(1), 1, False)] * 10_000)
    capture = Capture([("r-client", client)], lambda packet: None)
    taken = []
    while size := capture.read_ready():
        taken.append(size)
    assert max(taken) <= 4096 and sum(taken) == 10_000 == capture.frames


def test_a_drain_takes_all_of_a_flood():
    capture = Capture([("r-client", FakeSocket(*[(frame(1), 1, False)] * 10_000))], lambda packet: None)
    assert (capture.drain(), capture.drain()) == (10_000, 0)


def test_a_device_that_went_down_is_read_on():
    down = OSError(errno.ENETDOWN, "Network is down")
    seen = []
    Capture([("r-client", FakeSocket(down, (frame(9), 1, False)))], seen.append).read_ready()
    assert [p.seq for p in seen] == [9]


def test_a_broken_socket_is_not_read_for_ever():
    capture = Capture([("r-client", FakeSocket(OSError(errno.EBADF, "Bad file descriptor")))], lambda packet: None)
    with pytest.raises(OSError, match="Bad file descriptor"):
        capture.read_ready()


def test_losses_are_added_up_and_written_down(tmp_path):
    from test_pcap import read_pcapng

    # The kernel's first count includes the dropped, and reading sets both to zero.
    client = FakeSocket((frame(1), 1_000_000_007, False), lost=[(10, 2), (5, 1)])
    with PcapWriter(tmp_path / "router.pcapng", ["r-client"]) as keep:
        capture = Capture([("r-client", client)], lambda packet: None, keep)
        assert capture.lost == 2
        assert capture.finish() == 3
    _, packets, statistics = read_pcapng(tmp_path / "router.pcapng")
    assert [(ns, data) for _, ns, data, _, _ in packets] == [(1_000_000_007, frame(1))]
    assert statistics == {0: {4: 15, 5: 3}}


def test_any_datagram_socket_will_do():
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with ours, theirs:
        seen = []
        capture = Capture([("r-client", ours)], seen.append)
        theirs.send(frame(7))
        theirs.send(b"noise")
        assert capture.read_ready(ours) == 2
        assert [(p.seq, p.outgoing) for p in seen] == [(7, False)]
        assert (capture.read_ready(), capture.lost) == (0, 0)


def loopback():
    """In private namespaces: a connection over lo, captured."""
    yield "entered", Finding(True, str(inside._enter()))
    seen = []
    packets = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    with packets as sock, socket.create_server(("127.0.0.1", 0)) as server:
        sock.bind(("lo", 3))
        capture = Capture([("lo", sock)], seen.append)
        before = time.monotonic()
        socket.create_connection(server.getsockname()).close()
        after = time.monotonic()
        capture.read_ready()
        on_time = all(before - 0.001 <= packet.at <= after + 0.001 for packet in seen)
        syns = sorted(packet.outgoing for packet in seen if packet.flags == "S")
        ordered = [packet.at for packet in seen] == sorted(packet.at for packet in seen)
        yield "seen", Finding(True, repr((on_time, ordered, syns, capture.lost)))


@pytest.mark.skipif(bool(missing(["private namespaces", "AF_PACKET"])), reason="no private namespaces, or no AF_PACKET")
def test_the_kernels_own_frames():
    with findings_of(loopback) as found:
        assert found()["seen"].how == repr((True, True, [False, True], 0))
