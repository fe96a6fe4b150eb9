"""Runs one check (checks.py) on a socket in the loop, and measures what it cost: the bytes it took out of the stream,
the error it took from the program, and what the program's own next reads then find.

Instants are CLOCK_MONOTONIC nanoseconds.
"""

from __future__ import annotations

import fcntl
import select
import socket
import struct
import termios
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, NamedTuple

from harness.endpoints.loop import Loop, now
from harness.endpoints.signs import EOF, sign_of

_CHUNK = 65536

if TYPE_CHECKING:  # not before Python 3.9 at run time
    Answer = tuple[str, str]
    Asked = Generator["Wait", None, Answer]
    Tell = Callable[[dict[str, Any]], None]


class Wait(NamedTuple):
    """Until ``until``, or until the socket shows ``events`` (EPOLLERR and EPOLLHUP always count); None: look away."""

    until: int
    events: int | None = None


class Subject:
    """The socket that is asked. ``sent``: how many bytes the kernel took from the check."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock, self.sent = sock, 0

    def read(self, count: int = 1, flags: int = 0) -> bytes:
        return self.sock.recv(count, flags | socket.MSG_DONTWAIT)

    def send(self, data: bytes) -> None:
        self.sent += self.sock.send(data, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)

    def shows(self, events: int) -> int:
        """Return which of ``events`` poll(2) shows now; POLLERR and POLLHUP always count."""
        asking = select.poll()
        asking.register(self.sock, events)
        return next((found for _, found in asking.poll(0)), 0)

    def amount(self, request: int) -> int:
        found: int = struct.unpack("i", fcntl.ioctl(self.sock.fileno(), request, b"\0" * 4))[0]
        return found


class Asking:
    """One check in progress on the loop; ``tell(outcome)`` is called with what it said and what it cost."""

    def __init__(self, loop: Loop, sock: socket.socket, check: Callable[[Subject], Asked], tell: Tell) -> None:
        self._loop, self._tell = loop, tell
        self._subject = Subject(sock)
        self._pending = self._subject.amount(termios.FIONREAD)
        self._error = bool(self._subject.shows(0) & select.POLLERR)
        self._before = 0
        self._asked = check(self._subject)

    def begin(self) -> None:
        self._before = now()
        self._go_on()

    def _go_on(self) -> None:
        try:
            wait = next(self._asked)
        except StopIteration as ended:
            self._finish(now(), *ended.value)
            return
        number = self._subject.sock.fileno()
        timer = self._loop.at(wait.until, lambda: self._woke(number))
        if wait.events is not None:

            def seen(_event: int) -> None:
                timer.cancel()
                self._woke(number)

            self._loop.watch(number, wait.events, seen)

    def _woke(self, number: int) -> None:
        if self._subject.sock.fileno() != number:  # it was closed meanwhile; nobody waits for the answer
            return
        self._loop.forget(number)
        self._go_on()

    def _finish(self, after: int, answer: str, saw: str) -> None:
        left = self._subject.amount(termios.FIONREAD)
        self._tell(
            {
                "before": self._before,
                "after": after,
                "answer": answer,
                "saw": saw,
                "pending": self._pending,
                "eaten": max(0, self._pending - left),
                "sent": self._subject.sent,
                "error_pending": self._error,
                "then": self._then(),
            }
        )

    def _then(self) -> dict[str, Any]:
        """What the program's own reading finds after the check: how many bytes, and how they end."""
        count = 0
        while True:
            try:
                data = self._subject.read(_CHUNK)
            except BlockingIOError:
                return {"bytes": count, "end": "none"}
            except OSError as error:
                return {"bytes": count, "end": sign_of(error)}
            if not data:
                return {"bytes": count, "end": EOF}
            count += len(data)
