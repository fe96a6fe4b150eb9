"""``invoke server``: greets each client, sends it a line every 500 ms, and closes after a delay in one of three ways.

Instants are CLOCK_MONOTONIC nanoseconds; on the screen they are seconds since that client came.
"""

import contextlib
import datetime
import select
import socket

from harness.endpoints.connection import Connection
from harness.endpoints.loop import Loop, Timer, now
from harness.programs.opening import listener
from harness.programs.words import count, follow_the_reader, place, received, say, say_since, verdict
from harness.units import format_duration

# An answer to any HTTP client as well: curl shows the lines, and says how they ended.
_GREETING = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\nStarting data transmission...\n"
_EVERY = 500_000_000
# No descriptor is left for one more client: try again when some may have gone.
_ACCEPT_AGAIN = 500_000_000

_WAYS = {
    "graceful": "close(): FIN",
    "immediate": "SO_LINGER 0 and close(): RST",
    "half": "shutdown(SHUT_WR): FIN, and it reads on",
}


def serve(port: int, bind: str | None, how: str, delay_s: float) -> None:
    """Serve until Ctrl-C, which is how it ends: KeyboardInterrupt. Raises Refused, Unavailable."""
    follow_the_reader()
    server = Server(listener(bind, port), how, delay_s)
    try:
        server.loop.run()
    except KeyboardInterrupt:
        say(f"interrupted; {count(server.clients, 'open connection')} closed")
        raise
    finally:
        server.close()


class Server:
    """All clients in one loop, each in its own ``Serving``."""

    def __init__(self, sock: socket.socket, how: str, delay_s: float) -> None:
        self.loop, self._sock, self._how, self._delay = Loop(), sock, how, round(delay_s * 1e9)
        self._serving: set[Serving] = set()
        sock.setblocking(False)
        say(f"listening on {place(sock.getsockname())}")
        say(f"--close {how} ({_WAYS[how]}), {format_duration(delay_s)} after each client has come; Ctrl-C ends")
        self._watch()

    @property
    def clients(self) -> int:
        return len(self._serving)

    def _watch(self) -> None:
        self.loop.watch(self._sock.fileno(), select.EPOLLIN, self._accept)

    def _accept(self, _event: int) -> None:
        try:
            sock, address = self._sock.accept()
        except BlockingIOError:
            return  # it went away before it was met
        except OSError as error:
            say(f"cannot accept a client: {(error.strerror or str(error)).lower()}")
            self.loop.forget(self._sock.fileno())
            self.loop.at(now() + _ACCEPT_AGAIN, self._watch)
            return
        sock.setblocking(True)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        serving = Serving(self, sock, place(address))
        self._serving.add(serving)
        serving.begin(self._how, self._delay)

    def drop(self, serving: "Serving") -> None:
        self._serving.discard(serving)

    def close(self) -> None:
        for serving in list(self._serving):
            serving.connection.close("graceful")
        self._sock.close()
        self.loop.close()


class Serving:
    """One client, from its greeting to its end."""

    def __init__(self, server: Server, sock: socket.socket, where: str) -> None:
        self._server, self._loop, self._where = server, server.loop, where
        self.connection = Connection(self._loop, sock, self._told, self._took)
        self._began = now()
        self._lines = 0
        self._half = False
        self._timers: dict[str, Timer] = {}

    def begin(self, how: str, delay: int) -> None:
        self._say("connected", self._began)
        self.connection.say(_GREETING)
        if self.connection.signed:
            return  # reset before it was greeted
        # The end before the line that is due with it.
        self._timers["close"] = self._loop.at(self._began + delay, lambda: self._end(how))
        self._later()

    def _later(self) -> None:
        if not self.connection.signed:
            self._timers["line"] = self._loop.at(self._began + (self._lines + 1) * _EVERY, self._line)

    def _line(self) -> None:
        instant = datetime.datetime.now().astimezone().isoformat(timespec="milliseconds")
        self._lines += 1
        self.connection.say(f"Line {self._lines}, sent at {instant}\n".encode())
        if not self.connection.signed:
            self._say(f"sent line {self._lines}", now())
        self._later()

    def _took(self, data: bytes) -> None:
        self._say(("half-closed, " if self._half else "") + received(data), self._loop.woke)

    def _end(self, how: str) -> None:
        self._quiet()
        at = now()
        if how == "half":
            with contextlib.suppress(OSError):  # an RST has just come: the read that follows says so
                self.connection.close("half")
            self._half = True
            self._say(f"half close, {_WAYS[how]}", at)
            return
        self._finish("reset" if how == "immediate" else "graceful", f"{how} close, {_WAYS[how]}", at)

    def _told(self, event: str, **fields: object) -> None:
        if event == "sign":
            self._quiet()
            text = verdict(str(fields["sign"]), str(fields["call"]), "client")
            self._finish("graceful", text, self._loop.woke)

    def _finish(self, way: str, text: str, at: int) -> None:
        self.connection.close(way)
        self._server.drop(self)
        self._say(text, at)
        got = count(self.connection.bytes_in, "byte")
        self._say(f"done: {count(self._lines, 'line')} sent, {got} received", now())

    def _quiet(self) -> None:
        for timer in self._timers.values():
            timer.cancel()

    def _say(self, text: str, at: int) -> None:
        say_since(self._began, at, f"{self._where}  {text}")
