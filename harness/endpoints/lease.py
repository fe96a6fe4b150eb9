"""How long an agent goes on without a word from its controller. Instants are CLOCK_MONOTONIC nanoseconds."""

from __future__ import annotations

import os
import select
from collections.abc import Callable

from harness.endpoints.loop import Loop, Timers, now

_AT_ONCE = 4096  # PIPE_BUF (pipe(7)): a pipe that shows POLLOUT takes as much without waiting


class Expired(Exception):
    """Nobody took what was to be written, and the lease has run out meanwhile."""


class Lease:
    """Runs out ``ns`` after the last renewal, and then calls ``expired``; 0: never."""

    def __init__(self, loop: Loop, expired: Callable[[], None]) -> None:
        self._timers, self._expired = Timers(loop), expired
        self.ns = self.until = 0

    def set(self, ns: int) -> None:
        self.ns = ns
        self.renew()
        self._look()

    def renew(self) -> None:
        self.until = now() + self.ns

    def _look(self) -> None:
        """One timer: it is put off by what was heard meanwhile."""
        if not self.ns:
            self._timers.clear()
        elif now() >= self.until:
            self._expired()
        else:
            self._timers.set("lease", self.until, self._look)

    def write(self, fd: int, data: bytes) -> None:
        """Write everything. Where the control link was cut nobody reads, and a plain write would wait for ever:
        raises Expired when the lease runs out.
        """
        asking = select.poll()
        asking.register(fd, select.POLLOUT)
        while data:
            if self.ns and not asking.poll(max(0, self.until - now()) // 1_000_000 + 1):
                raise Expired
            data = data[os.write(fd, data[:_AT_ONCE] if self.ns else data) :]
