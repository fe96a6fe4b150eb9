"""One connection of a client's pool, from its connect() to its close. Instants are CLOCK_MONOTONIC nanoseconds."""

from __future__ import annotations

import errno
import os
import select
import socket
from collections.abc import Callable

from harness.endpoints.loop import Loop, now
from harness.endpoints.signs import sign_of


class Link:
    """``home``: the place in the pool that it belongs to. ``opened`` is set when it is established.

    ``call(sign)`` says how connect() ended: None for well.
    """

    def __init__(self, loop: Loop, address: tuple[str, int], home: int, call: Callable[[str | None], None]) -> None:
        self.loop, self.home = loop, home
        self.opened = self.idle_since = self.port = 0
        self.closed = False
        self._call = call
        self.sock = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET, socket.SOCK_STREAM)
        self.sock.setblocking(False)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        code = self.sock.connect_ex(address)
        if code in (0, errno.EINPROGRESS):
            self.port = self.sock.getsockname()[1]
            loop.watch(self.sock.fileno(), select.EPOLLOUT, self._connected)
        else:  # told from the loop, never from within: whoever opens it must have it first
            loop.at(now(), lambda: self._failed(code))

    def _connected(self, _event: int) -> None:
        code = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            self._failed(code)
            return
        self.loop.forget(self.sock.fileno())
        self.opened = self.idle_since = now()
        self._call(None)

    def _failed(self, code: int) -> None:
        if not self.closed:
            self.close()
            self._call(sign_of(OSError(code, os.strerror(code))))

    def watch(self, call: Callable[[], None]) -> None:
        """Have ``call`` made when there is something to read: an answer, EOF or an error."""
        self.loop.watch(self.sock.fileno(), select.EPOLLIN | select.EPOLLRDHUP, lambda _event: call())

    def ignore(self) -> None:
        """Look no more at what arrives."""
        self.loop.forget(self.sock.fileno())

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self.loop.forget(self.sock.fileno())
            self.sock.close()
