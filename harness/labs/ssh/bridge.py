"""An SSH channel as two descriptors, as every agent is driven: one to read from, one to write to.

A thread for each stream waits for bytes and passes them on at once. When the channel ends, for whatever reason, what is
read ends, and what is written breaks; when the writer closes, the channel's input ends.
"""

import contextlib
import os
import socket
import threading
import time

from paramiko.channel import Channel
from paramiko.ssh_exception import SSHException

from harness.endpoints import wire
from harness.labs.ssh.command import Ended

_CHUNK = 65536
_MOST_WORDS = 4096
_TELLING_S = 0.5


class Bridge:
    """``source`` and ``sink`` belong to whoever takes them, and are closed there."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self.source, self._mouth = os.pipe()
        theirs, self._ear = socket.socketpair()
        self.sink = theirs.detach()
        self._said = b""
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=run, name=run.__name__, daemon=True)
            for run in (self._pass_output, self._pass_input, self._note_errors)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def finished(self) -> bool:
        """Whether the command's output has ended."""
        return self._over.is_set()

    def wait(self, seconds: float) -> None:
        """Wait until the channel has ended and every thread with it, so long at most. Close ``sink`` before."""
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def ended(self) -> Ended:
        """Return how the command ended. Waits shortly for the status, which may come after the end of its output."""
        self._channel.status_event.wait(_TELLING_S)
        self._threads[2].join(_TELLING_S)
        lines = self._said.decode(errors="replace").splitlines()
        words = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return Ended(self._channel.exit_status, "".join(c if c.isprintable() else "?" for c in words)[:300])

    def _pass_output(self) -> None:
        listening = True
        while data := self._channel.recv(_CHUNK):
            if listening:
                try:
                    wire.write_all(self._mouth, data)
                except OSError:
                    listening = False  # nobody reads any more; the end of the command still counts
        # In this order: whoever is told of the end finds it noted, and can write no more.
        self._over.set()
        with contextlib.suppress(OSError):
            self._ear.shutdown(socket.SHUT_RDWR)
        os.close(self._mouth)

    def _pass_input(self) -> None:
        with self._ear, contextlib.suppress(OSError, EOFError, SSHException):
            try:
                while data := self._ear.recv(_CHUNK):
                    self._channel.sendall(data)
                self._channel.shutdown_write()
            finally:
                # Emptied before it is closed: else a later write would meet ECONNRESET, which is not a broken pipe.
                self._ear.shutdown(socket.SHUT_RDWR)
                while self._ear.recv(_CHUNK):
                    pass

    def _note_errors(self) -> None:
        while data := self._channel.recv_stderr(_CHUNK):
            self._said = (self._said + data)[-_MOST_WORDS:]
