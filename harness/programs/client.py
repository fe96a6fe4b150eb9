"""``invoke client``: reads until the connection ends, says in words how it ended, and in two modes writes meanwhile.

Instants are CLOCK_MONOTONIC nanoseconds; on the screen they are seconds since the connection was there.
"""

import datetime
import os
import select
import socket
import sys

from harness.endpoints.connection import Connection
from harness.endpoints.loop import Loop, now
from harness.programs.opening import connected
from harness.programs.words import CLOSED, count, follow_the_reader, place, received, say, say_since, verdict

_EVERY = 1_000_000_000
_CHUNK = 65536

_MODES = {
    "read": "only reads, until the connection ends",
    "write": "a numbered line each second, until the connection ends",
    "interactive": "each line that you type is sent; an empty line closes",
}


def talk(port: int, host: str, mode: str) -> None:
    """Connect, and stay until the connection ends. Raises Refused, Unavailable."""
    follow_the_reader()
    client = None
    try:
        say(f"connecting to {host}, port {port}")
        client = Client(connected(host, port), mode)
        client.loop.run()
    except KeyboardInterrupt:
        say("interrupted; the connection is closed" if client else "interrupted")
        raise
    finally:
        if client is not None:
            client.close()


class Client:
    """One connection and, in mode interactive, the standard input."""

    def __init__(self, sock: socket.socket, mode: str) -> None:
        self.loop = Loop()
        self._began = now()
        self._messages = 0
        self._typed = b""
        self._say(f"connected to {place(sock.getpeername())} from {place(sock.getsockname())}", self._began)
        self._say(f"--mode {mode}: {_MODES[mode]}", self._began)
        self._connection = Connection(self.loop, sock, self._told, self._took)
        if mode == "write":
            self._later()
        elif mode == "interactive":
            self._watch_input()

    def close(self) -> None:
        self._connection.close("graceful")
        self.loop.close()

    # -- the connection --------------------------------------------------------------------------------------------

    def _took(self, data: bytes) -> None:
        self._say(received(data), self.loop.woke)

    def _told(self, event: str, **fields: object) -> None:
        if event == "sign":
            self._end(verdict(str(fields["sign"]), str(fields["call"]), "server"))

    def _end(self, text: str) -> None:
        self._say(text, now())
        got, sent = (count(number, "byte") for number in (self._connection.bytes_in, self._connection.bytes_out))
        self._say(f"done: {got} received, {sent} sent", now())
        self.loop.stop()

    # -- mode write ------------------------------------------------------------------------------------------------

    def _later(self) -> None:
        if not self._connection.signed:
            self.loop.at(self._began + (self._messages + 1) * _EVERY, self._write)

    def _write(self) -> None:
        if self._connection.signed:
            return  # it ended in this very round
        self._messages += 1
        instant = datetime.datetime.now().astimezone().isoformat(timespec="milliseconds")
        self._send(f"Message {self._messages}, sent at {instant}\n".encode(), f"sent message {self._messages}")
        self._later()

    def _send(self, data: bytes, text: str) -> None:
        self._connection.say(data)
        if not self._connection.signed:
            self._say(text, now())

    # -- mode interactive ------------------------------------------------------------------------------------------

    def _watch_input(self) -> None:
        if sys.stdin is None:  # closed by who started this
            self._input_ended()
            return
        try:
            self.loop.watch(sys.stdin.fileno(), select.EPOLLIN, self._on_input)
        except PermissionError:  # a file, which is never waited for (epoll_ctl(2), EPERM)
            self.loop.soon(self._read_file)

    def _on_input(self, _event: int) -> None:
        self._read_input()

    def _read_file(self) -> None:
        if self._read_input():
            self.loop.soon(self._read_file)

    def _read_input(self) -> bool:
        """Send the lines that are there; return whether more may come."""
        try:
            data = os.read(sys.stdin.fileno(), _CHUNK)
        except OSError:
            data = b""  # the terminal is gone (EIO)
        *lines, self._typed = (self._typed + data).split(b"\n")
        if not data and self._typed:
            lines, self._typed = [self._typed], b""  # a last line without its end
        for line in lines:
            if self._connection.signed:
                return False
            if not line.rstrip(b"\r"):
                self._connection.close("graceful")
                self._end(CLOSED)
                return False
            self._messages += 1
            self._send(line + b"\n", f"sent message {self._messages}")
        if not data:
            self._input_ended()
        return bool(data)

    def _input_ended(self) -> None:
        """The end of the input is no wish to close: go on reading."""
        if sys.stdin is not None:
            self.loop.forget(sys.stdin.fileno())
        self._say("the input has ended; reading on", now())

    def _say(self, text: str, at: int) -> None:
        say_since(self._began, at, text)
