"""The checks by which a program asks its own socket: is the other end still there, and will what I send be received?

Each is a generator: it asks, yields a Wait where it has to wait, and returns its answer (alive, gone or unsure) with
what it saw. Every check is made as its authors wrote it, blind spots included. Kernel: net/ipv4/tcp.c
(tcp_recvmsg_locked, tcp_poll, tcp_ioctl), tcp_timer.c. Instants are CLOCK_MONOTONIC nanoseconds.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import termios
from collections.abc import Callable
from typing import TYPE_CHECKING

from harness.endpoints import options
from harness.endpoints.asking import Subject, Wait
from harness.endpoints.loop import now
from harness.endpoints.signs import EOF, sign_of

ALIVE, GONE, UNSURE = "alive", "gone", "unsure"
_MS = 1_000_000
SHORT_DEADLINE = 10 * _MS
SILENCE = 500 * _MS  # of the idle timeout and of the heartbeat
AFTER_WRITE = 50 * _MS
SHRINK_WITHIN = 300 * _MS
RETRANSMIT_WITHIN = 1_000 * _MS
KEEPALIVE_WATCH = 3_500 * _MS  # 1 + 2 x 1 s, each up to 80 ms late (timer wheel, HZ 100 to 1000), and a margin
USER_TIMEOUT_WATCH = 2_500 * _MS
KEEPALIVE = {"idle_s": 1, "interval_s": 1, "count": 2, "keepalive": 1}
USER_TIMEOUT = {"user_timeout_ms": 500}

_ESTABLISHED = 1  # include/net/tcp_states.h
_BROKEN = select.POLLRDHUP | select.POLLHUP | select.POLLERR
_NAMES = (("IN", select.POLLIN), ("RDHUP", select.POLLRDHUP), ("HUP", select.POLLHUP), ("ERR", select.POLLERR))
_PING, _PONG = b"?", b"!"  # what the peer's program understands: connection.py
_CHUNK = 65536

if TYPE_CHECKING:
    from harness.endpoints.asking import Answer, Asked


def _names(events: int) -> str:
    return "+".join(name for name, bit in _NAMES if events & bit) or "nothing"


def _read_once(subject: Subject, flags: int = 0) -> Answer:
    """The end of the stream and every error but "nothing there" mean gone; a byte means alive."""
    try:
        data = subject.read(1, flags)
    except BlockingIOError:
        return ALIVE, "EAGAIN"
    except OSError as error:
        return GONE, sign_of(error)
    return (ALIVE, "data") if data else (GONE, EOF)


# -- reading ---------------------------------------------------------------------------------------------------------


def deadline_past(subject: Subject) -> Answer:
    """SetReadDeadline(time.Now()), then Read: closed where it says EOF. Go looks at the deadline before it reads
    (internal/poll/fd_unix.go: Read calls prepareRead first), and so does this: the deadline is always past.
    """
    deadline = now()
    if now() >= deadline:
        return ALIVE, "deadline"
    return _read_once(subject)


def read_deadline(subject: Subject) -> Asked:
    """One byte, with 10 ms to come: the deadline means alive."""
    deadline = now() + SHORT_DEADLINE
    while now() < deadline:
        answer = _read_once(subject)
        if answer[1] != "EAGAIN":
            return answer
        yield Wait(deadline, select.EPOLLIN)
    return ALIVE, "deadline"


def read_closed(subject: Subject) -> Answer:
    """readClosed: one byte, without waiting."""
    return _read_once(subject)


def peek(subject: Subject) -> Answer:
    return _read_once(subject, socket.MSG_PEEK)


def recv_zero(subject: Subject) -> Answer:
    """CheckFdCloseWait: closed where recvfrom(2) of no bytes returns 0; any error is "not closed" to it.

    By recvmsg(2): Python's recv(0) returns b'' without making a system call.
    """
    try:
        subject.sock.recvmsg(0, 0, socket.MSG_DONTWAIT)
    except BlockingIOError:
        return ALIVE, "EAGAIN"
    except OSError as error:
        return ALIVE, sign_of(error)
    return GONE, "0"


def read_zero(subject: Subject) -> Answer:
    """read(fd, buf, 0) == 0, taken for the end of the stream."""
    return (GONE, "0") if os.read(subject.sock.fileno(), 0) == b"" else (ALIVE, "data")


def ready_read_zero(subject: Subject) -> Answer:
    """The same, where poll(2) has shown POLLIN before."""
    if not subject.shows(select.POLLIN) & select.POLLIN:
        return ALIVE, "not ready"
    return (GONE, "0") if os.read(subject.sock.fileno(), 0) == b"" else (ALIVE, "data")


# -- asking the kernel -----------------------------------------------------------------------------------------------


def poll(subject: Subject) -> Answer:
    shown = subject.shows(select.POLLRDHUP) & _BROKEN
    return (GONE if shown else ALIVE), _names(shown)


def so_error(subject: Subject) -> Answer:
    code = subject.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    return (GONE if code else ALIVE), errno.errorcode.get(code, str(code))


def tcp_info(subject: Subject) -> Answer:
    """Anything but ESTABLISHED means gone."""
    state = options.tcp_info(subject.sock)["state"]
    return (ALIVE if state == _ESTABLISHED else GONE), f"state {state}"


def retransmits(subject: Subject) -> Asked:
    """TCP_INFO again: unacknowledged data that has been sent twice again within a second means gone."""
    if not options.tcp_info(subject.sock)["unacked"]:
        return ALIVE, "nothing unacknowledged"
    yield Wait(now() + RETRANSMIT_WITHIN)
    again = options.tcp_info(subject.sock)["retransmits"]
    return (GONE if again >= 2 else ALIVE), f"{again} retransmissions"


def outq(subject: Subject) -> Asked:
    """SIOCOUTQ: a send queue that does not shrink within 300 ms means gone."""
    before = subject.amount(termios.TIOCOUTQ)
    if not before:
        return ALIVE, "0 bytes"
    yield Wait(now() + SHRINK_WITHIN)
    after = subject.amount(termios.TIOCOUTQ)
    return (GONE if after >= before else ALIVE), f"{before} bytes, then {after}"


# -- writing ---------------------------------------------------------------------------------------------------------


def write(subject: Subject) -> Answer:
    """One byte: an error means gone; a full send buffer tells nothing."""
    try:
        subject.send(b".")
    except BlockingIOError:
        return UNSURE, "EAGAIN"
    except OSError as error:
        return GONE, sign_of(error)
    return ALIVE, "accepted"


def write_twice(subject: Subject) -> Asked:
    """One byte, 50 ms for the answer to it, and another byte."""
    answer = write(subject)
    if answer[0] != ALIVE:
        return answer
    yield Wait(now() + AFTER_WRITE)
    return write(subject)


# -- waiting ---------------------------------------------------------------------------------------------------------


def idle_timeout(subject: Subject) -> Asked:
    """Read all that comes: 500 ms of silence mean gone."""
    return (yield from _read_on(subject, until=b""))


def heartbeat(subject: Subject) -> Asked:
    """A ping to the peer's program: no answer within 500 ms means gone."""
    try:
        subject.send(_PING)
    except BlockingIOError:
        pass  # it waits in the program, where it is no better off
    except OSError as error:
        return GONE, sign_of(error)
    return (yield from _read_on(subject, until=_PONG))


def _read_on(subject: Subject, until: bytes) -> Asked:
    """Read until ``until`` has come (b'': on and on), the stream ends, or nothing of it came for SILENCE."""
    deadline = now() + SILENCE
    while now() < deadline:
        try:
            data = subject.read(_CHUNK)
        except BlockingIOError:
            yield Wait(deadline, select.EPOLLIN)
            continue
        except OSError as error:
            return GONE, sign_of(error)
        if not data:
            return GONE, EOF
        if until and until in data:
            return ALIVE, "answer"
        if not until:
            deadline = now() + SILENCE
    return GONE, "silence"


def keepalive(subject: Subject) -> Asked:
    """SO_KEEPALIVE 1, 1, 2: what the option itself brings about is an error; the end of the stream is not its doing."""
    options.put(subject.sock, KEEPALIVE)
    return (yield from _error_within(subject, KEEPALIVE_WATCH))


def user_timeout(subject: Subject) -> Asked:
    """TCP_USER_TIMEOUT 500 ms, alone."""
    options.put(subject.sock, USER_TIMEOUT)
    return (yield from _error_within(subject, USER_TIMEOUT_WATCH))


def _error_within(subject: Subject, length: int) -> Asked:
    deadline = now() + length
    while now() < deadline:
        shown = subject.shows(0)
        if shown:
            return GONE, _names(shown)
        yield Wait(deadline, 0)
    return ALIVE, "no error"


def _at_once(check: Callable[[Subject], Answer]) -> Callable[[Subject], Asked]:
    """Return a check that never waits as one that might."""

    def asked(subject: Subject) -> Asked:
        return check(subject)
        yield  # what makes it a generator

    return asked


CHECKS: dict[str, Callable[[Subject], Asked]] = {
    "deadline-past": _at_once(deadline_past),
    "read-deadline": read_deadline,
    "read-closed": _at_once(read_closed),
    "peek": _at_once(peek),
    "recv-0": _at_once(recv_zero),
    "read-0": _at_once(read_zero),
    "in+read-0": _at_once(ready_read_zero),
    "poll": _at_once(poll),
    "so-error": _at_once(so_error),
    "tcp-info": _at_once(tcp_info),
    "retransmits": retransmits,
    "outq": outq,
    "write": _at_once(write),
    "write-twice": write_twice,
    "idle-timeout": idle_timeout,
    "heartbeat": heartbeat,
    "keepalive": keepalive,
    "user-timeout": user_timeout,
}
