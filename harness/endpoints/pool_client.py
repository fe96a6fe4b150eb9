"""A client with a pool of connections and a schedule: each place of the pool sends its requests, with given gaps.

Control requests, each on a connection made for it, run beside: what a healthy new connection takes to answer.
Told: "requests" (rows of ``Request``), and "done" with the controls, [number, wrote, answered], and what the check
caught. Instants are CLOCK_MONOTONIC nanoseconds.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from harness.endpoints.loop import Loop, now
from harness.endpoints.pool import Pool
from harness.endpoints.pool_link import Link
from harness.endpoints.pool_request import Request, Tactics
from harness.endpoints.pool_server import REQUEST

_ROWS_AT_ONCE = 50
# After this the server has accepted a new connection: what follows is an answer's time, and nothing of the opening.
_SETTLED_NS = 10_000_000
# The numbers of control requests begin here.
CONTROL = 1 << 40


class PoolClient:
    """``places``: for each place of the pool, when it opens (ns from the start), and its requests in order, as
    [number, gap]: asked ``gap`` ns after the request before has ended. ``controls``: when each is made, ns from the
    start. ``tactics``: see there.
    """

    def __init__(
        self,
        loop: Loop,
        tell: Callable[..., None],
        host: str,
        port: int,
        places: list[tuple[int, list[tuple[int, int]]]],
        controls: list[int],
        check: str,
        tactics: dict[str, Any],
    ) -> None:
        self.loop, self.tell = loop, tell
        self.tactics = Tactics(**tactics)
        self.address = (host, port)
        self.pool = Pool(loop, self.address, check, self.tactics.deadline)
        self._rows: list[list[Any]] = []
        self._controls: list[tuple[int, int, int]] = []
        self._unsettled = sum(len(requests) for _, requests in places) + len(controls)
        start = now()
        for home, (offset, requests) in enumerate(places):
            loop.at(start + offset, _Place(self, home, requests).open)
        for number, offset in enumerate(controls):
            loop.at(start + offset, _Control(self, CONTROL + number).open)

    def report(self) -> dict[str, Any]:
        return {"unsettled": self._unsettled}

    def settled(self, request: Request) -> None:
        self._rows.append(request.row())
        self._one_less()

    def control(self, number: int, wrote: int, answered: int) -> None:
        self._controls.append((number, wrote, answered))
        self._one_less()

    def _one_less(self) -> None:
        self._unsettled -= 1
        if self._rows and (len(self._rows) >= _ROWS_AT_ONCE or not self._unsettled):
            self.tell("requests", rows=self._rows)
            self._rows = []
        if not self._unsettled:
            self.pool.close()
            self.tell("done", controls=self._controls, caught=self.pool.caught, opened=self.pool.opened)


class _Place:
    """One place of the pool and what is sent over it."""

    def __init__(self, client: PoolClient, home: int, requests: list[tuple[int, int]]) -> None:
        self.client, self.home, self.requests = client, home, requests
        self._sent = 0

    def open(self) -> None:
        self.client.pool.fill(self.home)
        self._plan()

    def _plan(self) -> None:
        if self._sent < len(self.requests):
            self.client.loop.at(now() + self.requests[self._sent][1], self._send)
        else:
            self.client.pool.retire(self.home)

    def _send(self) -> None:
        number = self.requests[self._sent][0]
        self._sent += 1
        client = self.client
        Request(client.loop, client.pool, client.tactics, self.home, number, self._ended, client.settled)

    def _ended(self, _request: Request) -> None:
        self._plan()


class _Control:
    """One request on a connection of its own, written when that is established and both programs have settled."""

    def __init__(self, client: PoolClient, number: int) -> None:
        self.client, self.number = client, number
        self._wrote = self._answered = 0
        self._over = False

    def open(self) -> None:
        loop, client = self.client.loop, self.client
        self._link = Link(loop, client.address, -1, self._opened)
        loop.at(now() + client.tactics.deadline, self._end)

    def _opened(self, sign: str | None) -> None:
        if sign is not None:
            self._end()
        else:
            self.client.loop.at(now() + _SETTLED_NS, self._write)

    def _write(self) -> None:
        if self._over:
            return
        self._wrote = now()
        with contextlib.suppress(OSError):
            self._link.sock.send(REQUEST.pack(self.number, 0))
        self._link.watch(self._heard)

    def _heard(self) -> None:
        with contextlib.suppress(OSError):
            if self._link.sock.recv(4096):
                self._answered = now()
        self._end()

    def _end(self) -> None:
        if not self._over:
            self._over = True
            self._link.close()
            self.client.control(self.number, self._wrote, self._answered)
