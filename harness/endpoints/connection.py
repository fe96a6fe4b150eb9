"""One TCP connection: its traffic, its detectors, and the first sign that something is wrong.

The two ends speak one byte at a time: ``?`` is a ping, ``!`` its answer, ``R`` a request that is held without an
answer, ``.`` is filler. Blocking sockets with MSG_DONTWAIT, so that SO_RCVTIMEO can be the detector where it is asked
for. Instants are CLOCK_MONOTONIC nanoseconds.
"""

from __future__ import annotations

import contextlib
import functools
import select
import socket
import struct
import threading
from typing import TYPE_CHECKING, Any

from harness.endpoints import options
from harness.endpoints.loop import Loop, Timers, now
from harness.endpoints.signs import DEADLINE, EOF, HEARTBEAT, sign_of

PING, PONG, REQUEST, FILLER = b"?", b"!", b"R", b"."
_CHUNK = 65536
_END_WITHIN_S = 1.0
_WATCHED = select.EPOLLIN | select.EPOLLRDHUP

if TYPE_CHECKING:
    from collections.abc import Callable

    Tell = Callable[..., None]
    Take = Callable[[bytes], None]


class Connection:
    """``tell(event, **fields)`` reports "sign" (once), "pong" and "blocked" (a write cannot go on).
    ``take(data)`` gets what is received; without it the bytes mean what is said above.
    """

    def __init__(self, loop: Loop, sock: socket.socket, tell: Tell, take: Take | None = None) -> None:
        self.loop, self.sock, self.tell, self.take = loop, sock, tell, take or self._answer
        self.reading = True
        self.signed = False
        self.bytes_in = self.bytes_out = self.pings = self.pongs = self.unanswered = 0
        self.awaiting_pong = False
        self.read_at = now()
        self.blocked_at: int | None = None
        self.ping_due: int | None = None
        self._backlog = b""
        self._refill: Callable[[], None] | None = None
        self._read_deadline = self._write_deadline = 0
        self._timers = Timers(loop)
        self._thread: threading.Thread | None = None
        self._watch()

    # -- what the controller asks for ------------------------------------------------------------------------------

    def pause(self) -> None:
        """Read no more: what arrives stays in the kernel until the window closes."""
        self.reading = False
        self._watch()

    def resume(self) -> None:
        self.reading = True
        self._watch()

    def write(self, count: int) -> dict[str, Any]:
        """Write ``count`` bytes now; return when, and how many the kernel took."""
        stamps = self.say(FILLER * count)
        return {**stamps, "accepted": count - len(self._backlog)}

    def say(self, data: bytes) -> dict[str, Any]:
        """Write ``data`` now, after what still waits; return when."""
        before = now()
        self._push(data)
        return {"before": before, "after": now()}

    def ping(self) -> dict[str, Any]:
        """Ping once, outside any heartbeat: the greeting, and the proof that a connection lives."""
        return self.say(PING)

    def request(self) -> dict[str, Any]:
        return self.say(REQUEST)

    def stream(self, count: int, every: int) -> None:
        """Write ``count`` bytes every ``every`` ns, on and on; while a write is stuck, none is added."""
        if not self._backlog:
            self._push(FILLER * count)
        self._later("stream", now() + every, lambda: self.stream(count, every))

    def fill(self) -> None:
        """Write without end, as fast as the kernel takes it: "blocked" is told when it takes no more."""
        self._refill = lambda: self._push(FILLER * _CHUNK)
        self._refill()

    def bound_reads(self, deadline: int, by: str) -> None:
        """Call silence of ``deadline`` ns a sign: by this program's own poll, or by SO_RCVTIMEO."""
        self._read_deadline = deadline
        self.read_at = now()
        if by == "rcvtimeo":
            seconds, rest = divmod(deadline, 10**9)
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@ll", seconds, rest // 1000))
            self._thread = threading.Thread(target=self._read_blocking, daemon=True)
            self._watch()
            self._thread.start()
        else:
            self._rearm_read()

    def bound_writes(self, deadline: int) -> None:
        """Call a write that has been stuck for ``deadline`` ns a sign."""
        self._write_deadline = deadline

    def heartbeat(self, every: int, misses: int) -> None:
        """Ping every ``every`` ns; the ``misses``-th ping in a row without an answer, one period later, is a sign."""
        self.ping_due = now() + every
        self._later("ping", self.ping_due, lambda: self._beat(every, misses))

    def close(self, how: str) -> None:
        """``how``: graceful (FIN), half (FIN, still reading), reset (SO_LINGER 0), vanish (TCP_REPAIR: nothing)."""
        if how == "half":
            self.sock.shutdown(socket.SHUT_WR)
            return
        self._quiet()
        self._end_read()
        if how == "reset":
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif how == "vanish":
            self.sock.setsockopt(socket.IPPROTO_TCP, options.TCP_REPAIR, 1)
        self.sock.close()

    def let_go(self) -> socket.socket:
        """Return the socket, with nothing of this program watching it any more."""
        self._quiet()
        return self.sock

    def state(self) -> dict[str, Any]:
        return {
            "bytes_in": self.bytes_in,
            "bytes_out": self.bytes_out,
            "pings": self.pings,
            "pongs": self.pongs,
            "unanswered": self.unanswered,
            "awaiting_pong": self.awaiting_pong,
            "read_at": self.read_at,
            "blocked_at": self.blocked_at,
            "ping_due": self.ping_due,
            "signed": self.signed,
            "tcp": options.tcp_info(self.sock),
        }

    # -- what happens ----------------------------------------------------------------------------------------------

    def _watch(self) -> None:
        if self.signed:
            return
        events = _WATCHED if self.reading else 0
        if self._thread is not None:
            events = 0  # its recv() is to meet the error; epoll would report it as well, and first
        if self._backlog:
            events |= select.EPOLLOUT
        if events or self._thread is None:
            self.loop.watch(self.sock.fileno(), events, self._on_event)
        else:
            self.loop.forget(self.sock.fileno())

    def _on_event(self, event: int) -> None:
        if event & select.EPOLLOUT and not event & (select.EPOLLERR | select.EPOLLHUP):
            self._push(b"")
        if event & ~select.EPOLLOUT and not self.signed and self._thread is None:
            self._read()

    def _read(self) -> None:
        try:
            data = self.sock.recv(_CHUNK, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except OSError as error:
            self._sign(sign_of(error), "recv", self.loop.woke)
            return
        if not data:
            self._sign(EOF, "recv", self.loop.woke)
            return
        self._took(data)
        self._rearm_read()

    def _took(self, data: bytes) -> None:
        if self._thread is None:
            self.read_at = now()
        self.bytes_in += len(data)
        self.take(data)

    def _answer(self, data: bytes) -> None:
        if PONG in data:
            self.pongs += data.count(PONG)
            self.unanswered, self.awaiting_pong = 0, False
            self.tell("pong", at=self.loop.woke)
        pings = data.count(PING)
        if pings:
            self._push(PONG * pings)

    def _push(self, data: bytes) -> None:
        """Hand ``data`` to the kernel after what is still waiting; keep what it does not take."""
        self._backlog += data
        while self._backlog and not self.signed:
            try:
                sent = self.sock.send(self._backlog, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
            except BlockingIOError:
                self._stuck()
                return
            except OSError as error:
                self._backlog = b""
                self._sign(sign_of(error), "send", now())
                return
            self._backlog = self._backlog[sent:]
            self.bytes_out += sent
            self._unstuck()
            if not self._backlog and self._refill is not None:
                self._backlog = FILLER * _CHUNK
        self._watch()

    def _stuck(self) -> None:
        if self.blocked_at is None:
            self.blocked_at = now()
            self.tell("blocked", at=self.blocked_at)
            if self._write_deadline:
                due = self.blocked_at + self._write_deadline
                self._later("write", due, lambda: self._sign(DEADLINE, "send", now(), due))
        self._watch()

    def _unstuck(self) -> None:
        if self.blocked_at is not None:
            self.blocked_at = None
            self._timers.cancel("write")

    def _rearm_read(self) -> None:
        if self._read_deadline:
            due = self.read_at + self._read_deadline
            self._later("read", due, lambda: self._sign(DEADLINE, "recv", now(), due))

    def _beat(self, every: int, misses: int) -> None:
        due = self.ping_due or now()
        self.ping_due = due + every
        if self.awaiting_pong:
            self.unanswered += 1
            if self.unanswered >= misses:
                self._sign(HEARTBEAT, "ping", now(), due)
                return
        self.awaiting_pong = True
        self.pings += 1
        self._push(PING)
        self._later("ping", self.ping_due, lambda: self._beat(every, misses))

    def _sign(self, sign: str, call: str, at: int, due: int | None = None) -> None:
        """Report the first sign, and what the next read says after it; then let go of the socket's events.

        ``due``: when this program's own deadline or heartbeat was to fire.
        """
        if self.signed:
            return
        self.signed = True
        self._quiet()
        then = None
        if sign not in (DEADLINE, HEARTBEAT):
            try:
                then = EOF if self.sock.recv(_CHUNK, socket.MSG_DONTWAIT) == b"" else "data"
            except OSError as error:
                then = "nothing" if isinstance(error, BlockingIOError) else sign_of(error)
        self.tell("sign", sign=sign, call=call, at=at, then=then, due=due)

    # -- SO_RCVTIMEO needs a call that blocks, hence a thread ---------------------------------------------------------

    def _read_blocking(self) -> None:
        while True:
            self.read_at = now()
            try:
                data = self.sock.recv(_CHUNK)
                at, sign = now(), EOF
            except OSError as error:
                data, at, sign = b"", now(), sign_of(error)
            if not data:
                self.loop.soon(functools.partial(self._sign, sign, "recv", at))
                return
            self.loop.soon(functools.partial(self._took, data))

    def _end_read(self) -> None:
        """Wake the thread and have it end. While it is within recv() the kernel keeps the socket, also a closed one."""
        if self._thread is None:
            return
        self.signed = True  # what it read last is no sign: this end is the one that goes
        with contextlib.suppress(OSError):  # the connection is gone already, and so is the thread
            self.sock.shutdown(socket.SHUT_RD)  # sends nothing
        self._thread.join(_END_WITHIN_S)

    # -- timers ----------------------------------------------------------------------------------------------------

    def _later(self, name: str, at: int, call: Callable[[], None]) -> None:
        if not self.signed:  # after the first sign nothing goes on
            self._timers.set(name, at, call)

    def _quiet(self) -> None:
        self._timers.clear()
        self.loop.forget(self.sock.fileno())
