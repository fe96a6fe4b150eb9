"""One epoll and a heap of timers. Instants are CLOCK_MONOTONIC nanoseconds (int)."""

from __future__ import annotations

import heapq
import itertools
import os
import select
import time
from collections import deque
from collections.abc import Callable
from typing import Any

now = time.monotonic_ns


class Timer:
    """A call that is due at ``at``; ``cancel()`` forgets it."""

    def __init__(self, at: int, call: Callable[[], None]) -> None:
        self.at = at
        self.call: Callable[[], None] | None = call

    def cancel(self) -> None:
        self.call = None


class Timers:
    """Timers by name, on one loop: setting one anew forgets the old one."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._set: dict[str, Timer] = {}

    def set(self, name: str, at: int, call: Callable[[], None]) -> None:
        self.cancel(name)
        self._set[name] = self._loop.at(at, call)

    def cancel(self, name: str) -> None:
        timer = self._set.pop(name, None)
        if timer is not None:
            timer.cancel()

    def clear(self) -> None:
        for name in list(self._set):
            self.cancel(name)


class Loop:
    """Waits for file descriptors and instants, and for nothing else: it never ticks.

    ``woke`` is the instant at which the last wait ended: the stamp of everything found in that round.
    """

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._calls: dict[int, Callable[[int], None]] = {}
        self._heap: list[tuple[int, int, Timer]] = []
        self._order = itertools.count()
        self._going = True
        self.woke = now()
        self._soon: deque[Callable[[], None]] = deque()
        self._bell, self._rope = os.pipe()
        os.set_blocking(self._bell, False)
        self.watch(self._bell, select.EPOLLIN, self._ring)

    def watch(self, fd: int, events: int, call: Callable[[int], None]) -> None:
        """Call ``call(events)`` whenever ``fd`` shows any of ``events`` (level-triggered)."""
        if fd in self._calls:
            self._epoll.modify(fd, events)
        else:
            self._epoll.register(fd, events)  # PermissionError for a file: it is never waited for (epoll_ctl(2))
        self._calls[fd] = call

    def forget(self, fd: int) -> None:
        if self._calls.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    def at(self, instant: int, call: Callable[[], None]) -> Timer:
        timer = Timer(instant, call)
        heapq.heappush(self._heap, (instant, next(self._order), timer))
        return timer

    def soon(self, call: Callable[[], None]) -> None:
        """Have ``call`` made by the loop; the one method that other threads may use."""
        self._soon.append(call)
        os.write(self._rope, b".")

    def _ring(self, _event: int) -> None:
        os.read(self._bell, 4096)
        while self._soon:
            self._soon.popleft()()

    def stop(self) -> None:
        self._going = False

    def close(self) -> None:
        self._epoll.close()
        os.close(self._bell)
        os.close(self._rope)

    def run(self) -> None:
        while self._going:
            events = self._epoll.poll(self._wait())
            self.woke = now()
            for fd, event in events:
                call = self._calls.get(fd)
                if call is not None:
                    call(event)
            self._fire()

    def _wait(self) -> float:
        """Seconds until the next timer; -1 waits for ever. Python rounds epoll's timeout up to a millisecond."""
        while self._heap and self._heap[0][2].call is None:
            heapq.heappop(self._heap)
        if not self._heap:
            return -1
        return max(0.0, (self._heap[0][0] - now()) / 1e9)

    def _fire(self) -> None:
        while self._heap and self._heap[0][0] <= now():
            timer: Any = heapq.heappop(self._heap)[2]
            if timer.call is not None:
                timer.call()
