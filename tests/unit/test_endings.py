"""Endings: what packets say of sockets, what contradicts it, what is refused, and the calls that an end makes."""

import errno
import io
import os
import socket

import msgspec
import pytest
from rich.console import Console
from tcp_pair import MS, Rounds, broken, needs_net_admin, sockets

from harness.endings import all_endings
from harness.endings.base import check, within
from harness.endings.record import CLOSED, Act, Ending, Look, Passed
from harness.endings.seen import Seen
from harness.endings.states import course, disagreements
from harness.endpoints.calls import Bare
from harness.endpoints.loop import now
from harness.errors import Refused
from harness.report.endings import show_ending


def packet(at_s, sender, role, seq=0, ack=0, payload=0, dropped=False, again=False):
    left_s = None if dropped else at_s
    return Passed(
        at_s=at_s,
        sender=sender,
        role=role,
        seq=seq,
        ack=ack,
        payload=payload,
        left_s=left_s,
        dropped=dropped,
        again=again,
    )


def look(at_s, side, state, **fields):
    return Look(at_s=at_s, side=side, state=state, **fields)


def act(at_s, side, call, **fields):
    return Act(at_s=at_s, side=side, call=call, **fields)


# The server says FIN with 10 bytes before it, the client acknowledges, says FIN itself, and is acknowledged.
GRACEFUL = [
    packet(0.0, "server", "fin", seq=100, payload=10),
    packet(0.1, "client", "ack", ack=111),
    packet(1.0, "client", "fin", seq=500, ack=111),
    packet(1.1, "server", "ack", ack=501),
]
RESET = [packet(0.0, "server", "rst")]
CUT = [
    packet(0.0, "server", "fin", seq=100, dropped=True),
    packet(0.4, "server", "fin", seq=100, dropped=True, again=True),
]


def states(side, packets):
    return [(moment.at_s, moment.state) for moment in course(side, packets)[1:]]


def test_the_states_of_a_graceful_close():
    assert states("server", GRACEFUL) == [(0.0, "FIN_WAIT1"), (0.1, "FIN_WAIT2"), (1.0, "TIME_WAIT")]
    assert states("client", GRACEFUL) == [(0.0, "CLOSE_WAIT"), (1.0, "LAST_ACK"), (1.1, CLOSED)]


def test_a_fin_of_which_the_data_alone_was_acknowledged_is_not_acknowledged():
    half = [GRACEFUL[0], packet(0.1, "client", "ack", ack=110)]
    assert states("server", half) == [(0.0, "FIN_WAIT1")]


def test_two_fins_that_cross():
    both = [packet(0.0, "server", "fin", seq=1, ack=1), packet(0.0, "client", "fin", seq=1, ack=1)]
    crossing = [msgspec.structs.replace(fin, left_s=0.001) for fin in both]
    assert states("server", crossing)[-1][1] == states("client", crossing)[-1][1] == "CLOSING"


def test_sequence_numbers_that_wrap():
    wrapped = [packet(0.0, "server", "fin", seq=0xFFFF_FFFF), packet(0.1, "client", "ack", ack=0)]
    assert states("server", wrapped)[-1] == (0.1, "FIN_WAIT2")


def test_a_reset_closes_both_ends_and_a_dropped_one_only_its_sender():
    assert states("server", RESET) == states("client", RESET) == [(0.0, CLOSED)]
    dropped = [packet(0.0, "server", "rst", dropped=True)]
    assert states("server", dropped) == [(0.0, CLOSED)]
    assert states("client", dropped) == []


LOOKS = [
    look(-0.1, "client", "ESTABLISHED"),
    look(-0.1, "server", "ESTABLISHED"),
    look(0.5, "client", "CLOSE_WAIT"),
    look(0.5, "server", "FIN_WAIT2"),
    look(1.5, "client", CLOSED),
    look(1.5, "server", "TIME_WAIT"),
]


def test_looks_that_agree_with_the_packets():
    assert disagreements(LOOKS, GRACEFUL, [], 60.0) == []


@pytest.mark.parametrize("state", ["ESTABLISHED", "FIN_WAIT1", "TIME_WAIT", CLOSED])
def test_a_state_without_its_packet(state):
    wrong = [msgspec.structs.replace(k, state=state) if (k.at_s, k.side) == (0.5, "server") else k for k in LOOKS]
    (said,) = disagreements(wrong, GRACEFUL, [], 60.0)
    assert said == f"at +0.500 s the server's socket was {state}; its packets say FIN_WAIT2"


def test_a_look_that_a_packet_came_into_may_show_either_state():
    for state in ("ESTABLISHED", "FIN_WAIT1"):
        found = [
            look(-0.001, "server", state, took_s=0.002),
            look(2.0, "server", "FIN_WAIT1"),
            look(2.0, "client", "CLOSE_WAIT"),
        ]
        assert disagreements(found, GRACEFUL[:1], [], 60.0) == []


def test_a_packet_after_which_nobody_looked():
    assert disagreements(LOOKS[:4], GRACEFUL, [], 60.0) == [
        "nobody looked at the client's socket after +1.100 s, when it came to CLOSED",
        "nobody looked at the server's socket after +1.000 s, when it came to TIME_WAIT",
    ]


@pytest.mark.parametrize(("at_s", "agrees"), [(2.5, False), (3.2, True)])
def test_fin_wait_2_may_end_with_tcp_fin_timeout_and_not_before(at_s, agrees):
    found = [*LOOKS[:4], look(at_s, "server", CLOSED)]
    assert (disagreements(found, GRACEFUL[:2], [], 3.0) == []) is agrees


def test_an_orphan_may_give_up_only_after_it_sent_its_fin_again():
    gone = [look(1.0, "server", CLOSED)]
    assert disagreements(gone, CUT, [], 60.0) == []
    assert disagreements(gone, CUT[:1], [], 60.0) != []


@pytest.mark.parametrize(
    ("told", "packets", "agrees"),
    [
        (act(0.2, "client", "recv", error="EOF"), GRACEFUL, True),
        (act(-0.2, "client", "recv", error="EOF"), GRACEFUL, False),
        (act(0.2, "client", "recv", error="ECONNRESET"), GRACEFUL, False),
        (act(0.2, "client", "recv", error="ECONNRESET"), RESET, True),
        (act(0.2, "client", "send", error="EPIPE"), RESET, True),
        (act(0.2, "client", "send", error="EPIPE"), GRACEFUL, False),
    ],
)
def test_what_a_program_was_told_needs_a_packet(told, packets, agrees):
    looks = LOOKS if packets is GRACEFUL else [look(0.5, side, CLOSED) for side in ("client", "server")]
    assert (disagreements(looks, packets, [told], 60.0) == []) is agrees


def test_an_error_of_ones_own_doing_needs_no_packet():
    acts = [act(-0.3, "client", "shutdown"), act(-0.2, "client", "send", error="EPIPE")]
    assert disagreements(LOOKS, GRACEFUL, acts, 60.0) == []


def seen(**fields):
    return Seen(
        **{
            "closer": "server",
            "acts": [],
            "looks": LOOKS,
            "packets": GRACEFUL,
            "hz": 250,
            "fin_timeout_s": 60.0,
            **fields,
        }
    )


def test_bytes_accepted_read_and_still_unread():
    acts = [
        act(0, "client", "send", result=100),
        act(1, "client", "send", error="EPIPE"),
        act(2, "server", "recv", result=30),
    ]
    found = seen(
        acts=acts, looks=[look(3, "server", "ESTABLISHED", rqueue=20), look(3, "client", "ESTABLISHED")]
    ).bytes("client")
    assert (found.accepted, found.delivered, found.lost, found.unread) == (100, 30, 70, 20)


def test_a_fin_is_no_unread_byte():
    after_fin = seen(looks=[look(3, "client", "CLOSE_WAIT", rqueue=1)], acts=[act(0, "server", "send", result=5)])
    assert after_fin.bytes("server").unread == 0


def test_goodbyes_in_words():
    assert (seen().goodbye("server"), seen(packets=RESET).goodbye("server")) == ("FIN", "RST")
    assert seen(packets=[*GRACEFUL[:1], packet(0.2, "server", "rst")]).goodbye("server") == "FIN then RST"
    assert seen(packets=[packet(-1.0, "server", "fin")]).goodbye("server") == "nothing"


def test_how_late_a_timer_may_run():
    assert [seen().lateness_s(seconds) for seconds in (0.2, 1.0, 5.0)] == [2 / 250, 9 / 250, 65 / 250]


def test_a_check_holds_or_says_both():
    assert check("reads", ["1", "EOF"], ["1", "EOF"], "").holds
    failed = check("reads", {"EOF", "RST"}, "nothing", "why")
    assert (failed.holds, failed.wanted, failed.seen) == (False, "EOF or RST", "nothing")
    assert within("took", 1.0, 2.0, 1.5, "").holds
    assert not within("took", 1.0, 2.0, 2.1, "").holds
    assert not within("took", 1.0, 2.0, None, "").holds


def test_every_ending_is_found_by_its_file():
    assert list(all_endings()) == [
        "close-client",
        "close-server",
        "leak-close",
        "one-way",
        "use-after-close",
        "write-after-close",
    ]


@pytest.mark.parametrize(
    ("name", "options", "line"),
    [
        ("close-server", {"linger": 5}, "--linger has no effect without --how linger"),
        ("close-client", {"how": "immediate", "nonblocking": True}, "--nonblocking has no effect without --how linger"),
        ("leak-close", {"how": "half", "fin_timeout": 3}, "--fin-timeout is for orphans"),
    ],
)
def test_options_that_make_no_sense_together(name, options, line):
    with pytest.raises(Refused, match=line) as refused:
        all_endings()[name](**options)
    assert "\n" not in str(refused.value)


def test_what_is_not_asked_has_its_default():
    assert all_endings()["close-server"](how="linger").values["linger"] == 5
    assert all_endings()["leak-close"]().values == {"how": "close", "fin_timeout": 3, "hold": 4.0}


def ending(**fields):
    base = {
        "ending": "close-server",
        "trial": 0,
        "asked": {},
        "closer": "server",
        "ipv": 4,
        "lab": {},
        "effect_after_s": 0.001,
        "effect": "FIN on the router",
        "acts": [act(0.0, "server", "close"), act(0.6, "client", "recv", error="EOF")],
        "states": [k for k in LOOKS if k.at_s < 1],
        "packets": GRACEFUL[:2],
        "bytes": [{"writer": "server", "accepted": 10, "delivered": 10, "lost": 0}],
        "consistent": True,
        "missing": [],
        "expected": True,
        "checks": [],
        "why": "Because.",
    }
    return Ending(**{**base, **fields})


def printed(of):
    out = io.StringIO()
    show_ending(of, Console(file=out, width=100, color_system=None, highlight=False))
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_the_timeline_of_both_ends():
    lines = printed(ending())
    assert [" ".join(line.split()) for line in lines[1:8]] == [
        "-0.1000 ESTABLISHED",
        "-0.1000 ESTABLISHED ESTABLISHED",
        "+0.0000 server: close() ESTABLISHED ESTABLISHED",
        "+0.0000 ESTABLISHED ESTABLISHED <- FIN 10",
        "+0.1000 ESTABLISHED ESTABLISHED -> ack",
        "+0.5000 CLOSE_WAIT ESTABLISHED",
        "+0.5000 CLOSE_WAIT FIN_WAIT2",
    ]
    assert lines[-1] == "Because."


def test_what_does_not_agree_is_said_with_both_sides():
    failed = check("the server's goodbye", "FIN", "RST", "RFC 9293 3.6")
    lines = printed(ending(consistent=False, missing=["no FIN"], expected=False, checks=[failed]))
    assert " consistent  no: no FIN" in lines
    assert " expected    no: the server's goodbye: RST, not FIN (RFC 9293 3.6)" in lines


# -- the calls -------------------------------------------------------------------------------------------------------


class Ends:
    """``bare`` makes calls on one end of a connection over loopback; ``peer`` is the other end's socket."""

    def __init__(self):
        self.loop, self.told = Rounds(), []
        sock, self.peer = sockets()
        self.bare = Bare(self.loop, sock, lambda event, **fields: self.told.append((event, fields)))

    def says(self, call, **arguments):
        made = self.bare.make(call, **arguments)
        assert made["before"] <= made["after"]
        return made.get("error", made.get("result"))

    def until_told(self, event):
        if not any(name == event for name, _ in self.told):
            deadline = self.loop.at(now() + 5000 * MS, lambda: pytest.fail(f"no {event}"))
            self.loop.run_until(lambda: any(name == event for name, _ in self.told))
            deadline.cancel()
        return [fields for name, fields in self.told if name == event][-1]


@pytest.fixture
def ends():
    ends = Ends()
    yield ends
    ends.bare.stop()
    for sock in (ends.bare.sock, ends.peer):
        sock.close()
    ends.loop.close()


def test_a_call_says_what_it_returned_or_the_name_of_its_error(ends):
    assert ends.says("send", count=3) == 3
    assert ends.says("recv", count=1) == "EAGAIN"
    ends.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    ends.peer.close()
    assert broken(ends.bare.sock)
    assert ends.says("so_error") == "ECONNRESET"
    assert ends.says("so_error") == "0"  # told once
    assert ends.says("send", count=1) == "EPIPE"


def test_reading_nothing_does_ask_the_kernel(ends):
    assert ends.says("recv", count=0) == "EAGAIN"  # Python's own recv(0) says b"" and asks nobody
    ends.peer.shutdown(socket.SHUT_WR)
    ends.bare.sock.settimeout(5)
    assert ends.bare.sock.recv(1) == b""
    assert ends.says("recv", count=0) == 0


def test_a_close_that_lingers_does_not_hold_up_the_others(ends):
    ends.says("linger", seconds=5)
    ends.says("send", count=3)
    ends.says("close")
    assert ends.told == []  # the loop goes on while a thread of its own waits in close(2)
    assert ends.until_told("closed")["error"] is None


def test_a_close_is_told_when_it_has_returned(ends):
    number = ends.bare.sock.fileno()
    ends.says("close")
    closed = ends.until_told("closed")
    assert closed["error"] is None and closed["before"] <= closed["after"]
    assert ends.says("send", count=1) == errno.errorcode[errno.EBADF]
    assert ends.says("poll") == "NVAL"
    assert ends.says("close_again") == "EBADF"
    lowest = os.open(os.devnull, os.O_RDONLY)
    os.close(lowest)
    assert ends.says("reused") is (lowest == number)


@pytest.mark.parametrize("then", ["close", "half-close", "close-write"])
def test_a_server_that_idles(ends, then):
    ends.peer.send(b"abc")
    ends.bare.make("serve", idle=20 * MS, then=then)
    idle = ends.until_told("idle")
    assert [fields["result"] for name, fields in ends.told if name == "read"] == [3]
    assert ends.loop.woke >= idle["due"]
    ends.peer.settimeout(5)
    assert ends.peer.recv(1) == b""
    if then == "half-close":
        ends.peer.send(b"late")
        ends.peer.shutdown(socket.SHUT_WR)
    if then != "close-write":
        ends.until_told("closed")
    if then == "half-close":
        assert sum(fields["result"] for name, fields in ends.told if name == "read") == 7


@needs_net_admin
def test_vanishing_says_nothing(ends):
    ends.bare.vanish()
    ends.bare.vanish()
    ends.peer.setblocking(False)
    with pytest.raises(BlockingIOError):
        ends.peer.recv(1)
