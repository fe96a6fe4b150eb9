"""A server that closes connections that were idle, executes requests, and counts what it executed.

A request is 12 bytes, its number (8) and which try of it this is (4); the answer is the same 12 bytes. A connection is
idle from its last answer (or its opening) on. Instants are CLOCK_MONOTONIC nanoseconds.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
from typing import Any

from harness.endpoints.loop import Loop, now

REQUEST = struct.Struct("!QI")
_BACKLOG = 1024


class PoolServer:
    """``idle``: ns of silence after which a connection is closed (0: never); ``work``: ns that a request takes.

    ``how``: close, or half: shutdown(SHUT_WR), and what still arrives is executed and cannot be answered.
    """

    def __init__(self, loop: Loop, host: str, port: int, idle: int, how: str, work: int) -> None:
        self.loop, self.idle, self.how, self.work = loop, idle, how, work
        self.executed: dict[int, int] = {}
        self.closed: list[tuple[int, int, int]] = []
        self._listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind((host, port))
        self._listener.listen(_BACKLOG)
        self._listener.setblocking(False)
        self.port = self._listener.getsockname()[1]
        loop.watch(self._listener.fileno(), select.EPOLLIN, self._accept)

    def _accept(self, _event: int) -> None:
        with contextlib.suppress(BlockingIOError, ConnectionAbortedError):
            sock, address = self._listener.accept()
            _Served(self, sock, address[1])

    def report(self) -> dict[str, Any]:
        """What was executed, [number, times], and what was closed for idling, [client's port, before, after]."""
        return {"executed": list(self.executed.items()), "closed": self.closed}


class _Served:
    """One connection."""

    def __init__(self, server: PoolServer, sock: socket.socket, port: int) -> None:
        self.server, self.sock, self.port = server, sock, port
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._rest = b""
        self._busy = 0
        self._active = now()
        self._open = True
        server.loop.watch(sock.fileno(), select.EPOLLIN, self._read)
        if server.idle:
            server.loop.at(self._active + server.idle, self._is_idle)

    def _read(self, _event: int) -> None:
        try:
            data = self.sock.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._end()
            return
        self._rest += data
        while len(self._rest) >= REQUEST.size:
            request, self._rest = self._rest[: REQUEST.size], self._rest[REQUEST.size :]
            self._execute(request)

    def _execute(self, request: bytes) -> None:
        server, number = self.server, REQUEST.unpack(request)[0]
        server.executed[number] = server.executed.get(number, 0) + 1
        self._busy += 1
        if server.work:
            server.loop.at(now() + server.work, lambda: self._answer(request))
        else:
            self._answer(request)

    def _answer(self, request: bytes) -> None:
        self._busy -= 1
        self._active = now()
        if self._open:
            with contextlib.suppress(OSError):  # half-closed, or reset meanwhile: executed, and nobody will know
                self.sock.send(request)

    def _is_idle(self) -> None:
        """Look when the time is up. One timer a connection: it is put off by what happened meanwhile."""
        if not self._open:
            return
        due = self._active + self.server.idle
        if self._busy or now() < due:
            self.server.loop.at(max(due, now() + self.server.idle) if self._busy else due, self._is_idle)
            return
        before = now()
        if self.server.how == "half":
            with contextlib.suppress(OSError):
                self.sock.shutdown(socket.SHUT_WR)
        else:
            self._end()
        self.server.closed.append((self.port, before, now()))

    def _end(self) -> None:
        self._open = False
        self.server.loop.forget(self.sock.fileno())
        self.sock.close()
