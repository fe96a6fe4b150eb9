"""The checks by which a program asks its own socket, on sockets over loopback: what they say and what they take."""

import socket
import struct

import pytest
from tcp_pair import Rounds, broken, sockets

from harness.endpoints.asking import Asking
from harness.endpoints.checks import CHECKS


@pytest.fixture
def pair():
    here, there = sockets()
    yield here, there
    here.close()
    there.close()


@pytest.fixture
def loop():
    loop = Rounds()
    yield loop
    loop.close()


def ask(loop, sock, check):
    """Return what a check says; the loop runs until it has said it."""
    said = []
    Asking(loop, sock, CHECKS[check], said.append).begin()
    if not said:
        loop.run_until(lambda: said)
    return said[0]


def reset(there):
    there.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    there.close()


def test_pythons_recv_of_nothing_is_not_the_kernels(pair, loop):
    here, there = pair
    reset(there)
    assert broken(here)
    assert here.recv(0, socket.MSG_DONTWAIT) == b""  # no system call: the error is still there
    said = ask(loop, here, "recv-0")
    assert (said["answer"], said["saw"], said["error_pending"]) == ("alive", "ECONNRESET", True)
    assert said["then"] == {"bytes": 0, "end": "EOF"}  # and now it is gone


def test_a_zero_length_receive_on_a_healthy_quiet_connection_is_no_end_of_the_stream(pair, loop):
    here, _ = pair
    assert (ask(loop, here, "recv-0")["saw"], ask(loop, here, "read-0")["saw"]) == ("EAGAIN", "0")


def test_eating_a_byte(pair, loop):
    here, there = pair
    there.send(b"hello")
    said = ask(loop, here, "read-closed")
    assert (said["answer"], said["pending"], said["eaten"]) == ("alive", 5, 1)
    assert said["then"] == {"bytes": 4, "end": "none"}


def test_looking_through_data_without_eating(pair, loop):
    here, there = pair
    there.send(b"hello")
    there.close()
    assert ask(loop, here, "poll")["answer"] == "gone"
    # The first question has read everything after its answer: that is its look at what it left.
    assert ask(loop, here, "read-closed")["answer"] == "gone"


def test_a_deadline_that_is_past_never_reads(pair, loop):
    here, there = pair
    there.send(b"hello")
    there.close()
    said = ask(loop, here, "deadline-past")
    assert (said["answer"], said["eaten"], said["then"]) == ("alive", 0, {"bytes": 5, "end": "EOF"})


def test_a_heartbeat_is_answered_behind_data(pair, loop):
    here, there = pair
    there.send(b"hello")
    there.send(b"!")
    said = ask(loop, here, "heartbeat")
    assert (said["answer"], said["saw"], said["sent"]) == ("alive", "answer", 1)


def test_what_comes_while_a_check_waits_wakes_it(pair, loop):
    here, there = pair
    loop.soon(there.close)
    said = ask(loop, here, "idle-timeout")
    assert (said["answer"], said["saw"]) == ("gone", "EOF")
    assert said["after"] - said["before"] < 400_000_000  # not at its 500 ms


def test_a_wait_ends_in_time_where_nothing_comes(pair, loop):
    here, _ = pair
    said = ask(loop, here, "read-deadline")
    assert (said["answer"], said["saw"]) == ("alive", "deadline")
    assert said["after"] - said["before"] >= 10_000_000


def test_a_socket_that_is_closed_while_it_is_asked_is_let_go(pair, loop):
    here, _ = pair
    said = []
    Asking(loop, here, CHECKS["read-deadline"], said.append).begin()
    loop.forget(here.fileno())
    here.close()
    other, its_peer = sockets()  # gets the number that has come free
    with other, its_peer:
        ask(loop, other, "read-deadline")  # due later than the one that is let go
    assert said == []
