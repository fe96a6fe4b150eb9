"""A process that holds connections and does what it is told: one JSON line in, one out, events in between.

Every answer carries the ``id`` of its question; every line carries ``from``, this endpoint's name. When the control
pipe ends, the process ends: nothing that the controller started outlives it.
"""

from __future__ import annotations

import errno
import os
import select
import socket
from collections.abc import Callable
from typing import Any

from harness.endpoints import options, wire
from harness.endpoints.asking import Asking
from harness.endpoints.calls import Bare
from harness.endpoints.checks import CHECKS
from harness.endpoints.connection import Connection
from harness.endpoints.loop import Loop, now
from harness.endpoints.pool_client import PoolClient
from harness.endpoints.pool_server import PoolServer
from harness.endpoints.signs import sign_of

_SMALL_BUFFER = 16384  # so that a window closes and a send buffer fills within milliseconds


class Endpoint:
    """``control`` is a connected stream socket to the agent."""

    def __init__(self, name: str, control: socket.socket) -> None:
        self.name = name
        self.loop = Loop()
        self._control = control
        self._lines = wire.Lines()
        self._connections: dict[str, Connection] = {}
        self._listeners: dict[str, socket.socket] = {}
        self._pools: dict[str, PoolServer | PoolClient] = {}
        self._bare: dict[str, Bare] = {}
        self.loop.watch(control.fileno(), select.EPOLLIN, self._on_control)

    def run(self) -> None:
        self._send({"event": "ready", "pid": os.getpid()})
        self.loop.run()

    # -- the control pipe ------------------------------------------------------------------------------------------

    def _on_control(self, _event: int) -> None:
        data = self._control.recv(65536)
        if not data:
            self.loop.stop()
            return
        for line in self._lines.feed(data):
            message = wire.unpack(line)
            question = message.pop("id")
            try:
                answer = getattr(self, "do_" + message.pop("do"))(question, **message)
            except OSError as error:
                self._send({"id": question, "error": sign_of(error), "what": error.filename, "text": error.strerror})
                continue
            except KeyError as error:  # closed meanwhile; the other connections of this process go on
                self._send({"id": question, "error": "gone", "what": None, "text": f"no connection {error}"})
                continue
            if answer is not None:
                self._send({"id": question, "ok": answer})

    def _send(self, message: dict[str, Any]) -> None:
        message["from"] = self.name
        wire.write_all(self._control.fileno(), wire.pack(message))

    def _teller(self, conn: str) -> Callable[..., None]:
        return lambda event, **fields: self._send({"event": event, "conn": conn, **fields})

    # -- opening ---------------------------------------------------------------------------------------------------

    def do_listen(self, question: int, conn: str, host: str, small: bool = False) -> dict[str, Any]:
        """Listen for one connection, to be known as ``conn``; "accepted" is told when it is there."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if small:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL_BUFFER)
        sock.bind((host, 0))
        sock.listen(1)
        self._listeners[conn] = sock
        self.loop.watch(sock.fileno(), select.EPOLLIN, lambda _event: self._accept(conn))
        return {"port": sock.getsockname()[1]}

    def _accept(self, conn: str) -> None:
        listener = self._listeners.pop(conn)
        self.loop.forget(listener.fileno())
        sock, address = listener.accept()
        listener.close()
        self._adopt(conn, sock)
        self._send({"event": "accepted", "conn": conn, "port": address[1]})

    def do_bind(self, question: int, conn: str, host: str, small: bool = False) -> dict[str, Any]:
        """Make a client socket and give it its port, so that the flow has a name before its first packet."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        if small:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL_BUFFER)
        sock.bind((host, 0))
        self._listeners[conn] = sock
        return {"port": sock.getsockname()[1]}

    def do_connect(self, question: int, conn: str, host: str, port: int, asked: dict[str, Any] | None = None) -> None:
        """Connect the bound socket ``conn``; the answer comes when it is established, or has failed for good."""
        sock = self._listeners[conn]  # and there it stays until it is connected, so that "close" ends the attempt
        if asked:
            options.put(sock, asked)
        settings = options.read_back(sock)
        sock.setblocking(False)
        before = now()
        code = sock.connect_ex((host, port))
        began = {"before": before, "after": now(), "settings": settings}
        self._send({"event": "connecting", "conn": conn, **began})
        if code not in (0, errno.EINPROGRESS):
            self._failed(question, conn, code, began)
            return
        self.loop.watch(sock.fileno(), select.EPOLLOUT, lambda _event: self._connected(question, conn, began))

    def _connected(self, question: int, conn: str, began: dict[str, Any]) -> None:
        sock = self._listeners[conn]
        self.loop.forget(sock.fileno())
        code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            self._failed(question, conn, code, began)
            return
        del self._listeners[conn]
        sock.setblocking(True)
        self._adopt(conn, sock)
        self._send({"id": question, "ok": {**began, "at": self.loop.woke}})

    def _failed(self, question: int, conn: str, code: int, began: dict[str, Any]) -> None:
        self._listeners.pop(conn).close()
        sign = sign_of(OSError(code, os.strerror(code)))
        self._send({"id": question, "ok": {**began, "sign": sign, "call": "connect", "at": self.loop.woke}})

    def _adopt(self, conn: str, sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connections[conn] = Connection(self.loop, sock, self._teller(conn))

    # -- an open connection ----------------------------------------------------------------------------------------

    def do_set(self, question: int, conn: str, asked: dict[str, Any]) -> dict[str, Any]:
        """Set options and read all back; ``armed`` is the instant at which SO_KEEPALIVE went on."""
        sock = self._connections[conn].sock
        armed = options.put(sock, asked)
        return {"armed": armed, "settings": options.read_back(sock)}

    def do_instant(self, question: int, conn: str) -> dict[str, Any]:
        return {"before": now(), "after": now()}

    def do_small_send_buffer(self, question: int, conn: str) -> dict[str, Any]:
        self._connections[conn].sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SMALL_BUFFER)
        return {}

    def do_ping(self, question: int, conn: str) -> dict[str, Any]:
        return self._connections[conn].ping()

    def do_write(self, question: int, conn: str, count: int) -> dict[str, Any]:
        return self._connections[conn].write(count)

    def do_request(self, question: int, conn: str) -> dict[str, Any]:
        return self._connections[conn].request()

    def do_stream(self, question: int, conn: str, count: int, every: int) -> dict[str, Any]:
        self._connections[conn].stream(count, every)
        return {"at": now()}

    def do_fill(self, question: int, conn: str) -> dict[str, Any]:
        self._connections[conn].fill()
        return {}

    def do_pause(self, question: int, conn: str) -> dict[str, Any]:
        self._connections[conn].pause()
        return {"at": now()}

    def do_resume(self, question: int, conn: str) -> dict[str, Any]:
        self._connections[conn].resume()
        return {"at": now()}

    def do_bound_reads(self, question: int, conn: str, deadline: int, by: str) -> dict[str, Any]:
        self._connections[conn].bound_reads(deadline, by)
        return {"at": now()}

    def do_bound_writes(self, question: int, conn: str, deadline: int) -> dict[str, Any]:
        self._connections[conn].bound_writes(deadline)
        return {}

    def do_heartbeat(self, question: int, conn: str, every: int, misses: int) -> dict[str, Any]:
        self._connections[conn].heartbeat(every, misses)
        return {"at": now()}

    def do_state(self, question: int, conn: str) -> dict[str, Any]:
        return self._connections[conn].state()

    def do_bare(self, question: int, conn: str) -> dict[str, Any]:
        """Take the connection from its program: from now on each call on it is asked for with "call"."""
        self._bare[conn] = Bare(self.loop, self._connections.pop(conn).let_go(), self._teller(conn))
        return {"at": now()}

    def do_call(self, question: int, conn: str, call: str, **arguments: Any) -> dict[str, Any]:
        return self._bare[conn].make(call, **arguments)

    def do_check(self, question: int, conn: str, check: str) -> None:
        """Ask a bare connection's socket whether its other end is there (checks.py); the answer may take seconds."""
        sock = self._bare[conn].sock
        Asking(self.loop, sock, CHECKS[check], lambda said: self._send({"id": question, "ok": said})).begin()

    def do_exit(self, question: int, conn: str) -> dict[str, Any]:
        """End this process, as a program does that returns from main: the kernel closes what it held."""
        self.loop.stop()
        return {"at": now()}

    def do_close(self, question: int, conn: str, how: str) -> dict[str, Any]:
        """Close ``conn``, or stop listening for it or connecting it. A connection that is already gone is no error."""
        before = now()
        listener = self._listeners.pop(conn, None)
        if listener is not None:
            self.loop.forget(listener.fileno())
            listener.close()
        bare = self._bare.pop(conn, None)
        if bare is not None:
            bare.vanish()
        connection = self._connections.get(conn)
        if connection is not None:
            connection.close(how)
            if how != "half":
                del self._connections[conn]
        return {"before": before, "after": now()}

    # -- a pool of connections and its server ----------------------------------------------------------------------

    def do_pool_serve(self, question: int, conn: str, **asked: Any) -> dict[str, Any]:
        server = self._pools[conn] = PoolServer(self.loop, **asked)
        return {"port": server.port}

    def do_pool_run(self, question: int, conn: str, **asked: Any) -> dict[str, Any]:
        """Begin; "requests" and, at the end, "done" are told."""
        began = now()
        self._pools[conn] = PoolClient(self.loop, self._teller(conn), **asked)
        return {"at": began}

    def do_pool_report(self, question: int, conn: str) -> dict[str, Any]:
        return self._pools[conn].report()
