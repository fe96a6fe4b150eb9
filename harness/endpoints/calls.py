"""A connection without a program of its own: every system call on it is made when it is told, and its outcome is said.

For seeing what each call says at each moment of a connection's end. An answer holds the call, the instants before and
after it (CLOCK_MONOTONIC ns), and ``result`` or, where it failed, the error's C name as ``error`` (errno(3)). Reads and
writes never wait. A close may (SO_LINGER, socket(7)): it is made by a thread, and "closed" is told when it returns.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import struct
import threading
from typing import TYPE_CHECKING, Any

from harness.endpoints import options
from harness.endpoints.loop import Loop, Timer, now

_CHUNK = 65536
_SHUT = {"read": socket.SHUT_RD, "write": socket.SHUT_WR, "both": socket.SHUT_RDWR}
_EVENTS = (
    ("IN", select.POLLIN),
    ("OUT", select.POLLOUT),
    ("RDHUP", select.POLLRDHUP),
    ("HUP", select.POLLHUP),
    ("ERR", select.POLLERR),
    ("NVAL", select.POLLNVAL),
)
_READABLE = select.EPOLLIN | select.EPOLLRDHUP

if TYPE_CHECKING:
    from collections.abc import Callable

    Tell = Callable[..., None]


def _close(number: int) -> dict[str, Any]:
    before, error = now(), None
    try:
        os.close(number)
    except OSError as raised:
        error = errno.errorcode.get(raised.errno or 0)
    return {"before": before, "after": now(), "error": error}


class Bare:
    """``tell(event, **fields)`` reports "closed" (a close has returned), "read" and "idle" (see ``serve``)."""

    def __init__(self, loop: Loop, sock: socket.socket, tell: Tell) -> None:
        self.loop, self.sock, self.tell = loop, sock, tell
        self._idle: Timer | None = None
        self._number = sock.fileno()

    def make(self, call: str, **arguments: Any) -> dict[str, Any]:
        """Make one call and return its outcome."""
        before = now()
        try:
            outcome: dict[str, Any] = {"result": getattr(self, "call_" + call)(**arguments)}
        except OSError as error:
            outcome = {"error": errno.errorcode.get(error.errno or 0, str(error.errno))}
        return {"call": call, "before": before, "after": now(), **outcome}

    # -- the calls -------------------------------------------------------------------------------------------------

    def call_recv(self, count: int = _CHUNK) -> int:
        """Return how many bytes came; 0 is the end of the stream, unless none were asked for.

        recvmsg, because Python's recv(0) does not ask the kernel at all.
        """
        return self.sock.recvmsg_into([bytearray(count)], 0, socket.MSG_DONTWAIT)[0]

    def call_peek(self) -> int:
        return len(self.sock.recv(1, socket.MSG_DONTWAIT | socket.MSG_PEEK))

    def call_send(self, count: int) -> int:
        """Return how many bytes the kernel took. No SIGPIPE: the error alone says it (send(2), MSG_NOSIGNAL)."""
        return self.sock.send(b"." * count, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)

    def call_shutdown(self, how: str) -> None:
        self.sock.shutdown(_SHUT[how])

    def call_linger(self, seconds: int) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, seconds))

    def call_nonblocking(self) -> None:
        self.sock.setblocking(False)

    def call_so_error(self) -> str:
        return errno.errorcode.get(self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), "0")

    def call_setsockopt(self) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    def call_getpeername(self) -> None:
        self.sock.getpeername()

    def call_getsockname(self) -> None:
        self.sock.getsockname()

    def call_poll(self) -> str:
        """Return what poll(2) says at once, as the events' names."""
        if self.sock.fileno() < 0:  # poll() passes over negative numbers; this one was the socket's
            return self._poll(self._number)
        return self._poll(self.sock.fileno())

    def call_reused(self) -> bool:
        """Return whether the next file that is opened gets the number that the closed socket had."""
        number = os.open(os.devnull, os.O_RDONLY)
        os.close(number)
        return number == self._number

    def call_close_again(self) -> None:
        """close(2) on the number that the socket had: Python's own close() would not ask the kernel a second time."""
        os.close(self._number)

    def call_close(self) -> None:
        """Begin to close; "closed" is told when close(2) has returned: with SO_LINGER that may be much later."""
        self.stop()
        on, seconds = struct.unpack("ii", self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8))
        number = self.sock.detach()
        if not (on and seconds):
            self.tell("closed", **_close(number))
            return

        def wait() -> None:
            closed = _close(number)
            self.loop.soon(lambda: self.tell("closed", **closed))

        threading.Thread(target=wait, daemon=True).start()

    # -- a server that only reads ----------------------------------------------------------------------------------

    def call_serve(self, idle: int, then: str) -> None:
        """Read all that comes; after ``idle`` ns of silence do ``then``: close, half-close, or close-write.

        half-close: shutdown(SHUT_WR), read on to the end of the stream, and close. close-write: shutdown(SHUT_WR), and
        never read again.
        """
        self.loop.watch(self.sock.fileno(), _READABLE, lambda _event: self._read(idle, then))
        self._wait(idle, then)

    def _wait(self, idle: int, then: str) -> None:
        if self._idle is not None:
            self._idle.cancel()
        due = now() + idle
        self._idle = self.loop.at(due, lambda: self._gone_idle(due, then))

    def _read(self, idle: int, then: str) -> None:
        made = self.make("recv")
        self.tell("read", **made)
        if made.get("result"):
            if self._idle is not None:
                self._wait(idle, then)
            return
        self.call_close()

    def _gone_idle(self, due: int, then: str) -> None:
        self._idle = None
        if then == "close":
            self.tell("idle", due=due, did="close")
            self.call_close()
            return
        if then == "close-write":
            self.loop.forget(self.sock.fileno())
        self.tell("idle", due=due, did="shutdown", made=self.make("shutdown", how="write"))

    # -- letting go ------------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Watch for nothing any more."""
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
        if self.sock.fileno() >= 0:
            self.loop.forget(self.sock.fileno())

    def vanish(self) -> None:
        """Take the socket away without a word (TCP_REPAIR); one that is closed already is no error."""
        self.stop()
        if self.sock.fileno() >= 0:
            self.sock.setsockopt(socket.IPPROTO_TCP, options.TCP_REPAIR, 1)
            self.sock.close()

    def _poll(self, number: int) -> str:
        poll = select.poll()
        poll.register(number, select.POLLIN | select.POLLOUT | select.POLLRDHUP)
        found = dict(poll.poll(0)).get(number, 0)
        return "+".join(name for name, bit in _EVENTS if found & bit) or "nothing"
