"""One request of a pool's client: its tries, one after the other or side by side, until an answer, an error, the end.

What is told of it, as a list: [number, asked, done, outcome, sign, tries]; of each try: [client's port, opened, new,
taken, ready, wrote, ended, end]. ``taken``: when the pool looked at the connection, right before the check;
``ready``: when it was handed over; ``end``: answer, timeout, abandoned, or the sign. Outcomes: "answered"; "failed":
the caller was told an error; "lost": neither an answer nor an error by the deadline. Instants are CLOCK_MONOTONIC
nanoseconds; 0 is never.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness.endpoints.loop import Loop, Timer, now
from harness.endpoints.pool import Pool
from harness.endpoints.pool_link import Link
from harness.endpoints.pool_server import REQUEST
from harness.endpoints.signs import EOF, sign_of

ANSWER, TIMEOUT, ABANDONED = "answer", "timeout", "abandoned"


class Tactics:
    """How a request is tried. Times in ns.

    ``tries``: at most so many; ``backoff``: before the second, doubled before each further one; ``hedge``: a second try
    beside the first after so long without an answer (0: none); ``patience``: after which a try is given up;
    ``deadline``: of the request; ``prepare``: what the caller takes between the taking of a connection and the write;
    ``new``: whether further tries are made on new connections.
    """

    def __init__(
        self, tries: int, backoff: int, hedge: int, patience: int, deadline: int, prepare: int, new: bool
    ) -> None:
        self.tries, self.backoff, self.hedge, self.patience = tries, backoff, hedge, patience
        self.deadline, self.prepare, self.new = deadline, prepare, new


class Request:
    """``call(request)`` when its outcome is known; ``settled(request)`` when the last of its tries has ended too."""

    def __init__(
        self,
        loop: Loop,
        pool: Pool,
        tactics: Tactics,
        home: int,
        number: int,
        call: Callable[[Request], None],
        settled: Callable[[Request], None],
    ) -> None:
        self.loop, self.pool, self.tactics, self.home, self.number = loop, pool, tactics, home, number
        self._call, self._settled = call, settled
        self.asked = now()
        self.done = 0
        self.outcome = self.sign = ""
        self.tries: list[Try] = []
        self._live = 0
        self._is_settled = False
        self._next: Timer | None = None
        self._limit = loop.at(self.asked + tactics.deadline, lambda: self._finish("lost", ""))
        self._try()
        if tactics.hedge:
            self._next = loop.at(self.asked + tactics.hedge, self._try)

    def _try(self) -> None:
        self._next = None
        self._live += 1
        Try(self)

    def ended(self, end: str) -> None:
        """A try has ended."""
        self._live -= 1
        if not self.done:
            if end == ANSWER:
                self._finish("answered", "")
            elif len(self.tries) < self.tactics.tries:
                self._again()
            elif self._live == 0:
                self._finish("lost" if end == TIMEOUT else "failed", "" if end == TIMEOUT else end)
        self._settle()

    def _settle(self) -> None:
        if self.done and self._live == 0 and not self._is_settled:
            self._is_settled = True
            self._settled(self)

    def _again(self) -> None:
        """Try again: at once, or after the back-off. A hedge that is still to come comes now."""
        if self._next is not None:
            self._next.cancel()
        if self.tactics.backoff:
            wait = self.tactics.backoff << (len(self.tries) - 1)
            self._next = self.loop.at(now() + wait, self._try)
        else:
            self._try()

    def _finish(self, outcome: str, sign: str) -> None:
        if self.done:
            return
        self.done, self.outcome, self.sign = now(), outcome, sign
        self._limit.cancel()
        if self._next is not None:
            self._next.cancel()
        if outcome == "lost":
            for each in self.tries:
                each.abandon()
        self._call(self)
        self._settle()

    def row(self) -> list[Any]:
        return [self.number, self.asked, self.done, self.outcome, self.sign, [each.row() for each in self.tries]]


class Try:
    """One try over one connection: take it, prepare, write, wait for the answer."""

    def __init__(self, request: Request) -> None:
        self.request, self.loop = request, request.loop
        self.link: Link | None = None
        self.port = self.opened = self.taken = self.ready = self.wrote = self.ended_at = 0
        self.new = False
        self.end = ""
        self._read = b""
        request.tries.append(self)
        self._order = len(request.tries) - 1
        tactics = request.tactics
        self._limit = self.loop.at(now() + tactics.patience + (0 if self._order else tactics.prepare), self._too_long)
        if self._order == 0:
            request.pool.take(request.home, self._have)
        else:
            request.pool.take_other(tactics.new, self._have)

    def _have(self, link: Link | None, new: bool, taken: int, sign: str | None) -> None:
        if self.end:  # it has waited too long
            if link is not None:
                self.request.pool.give_back(link)
            return
        self.new, self.taken, self.ready = new, taken, now()
        if link is None:
            self._ends(sign or "")
            return
        self.link, self.port, self.opened = link, link.port, link.opened
        if self._order == 0 and self.request.tactics.prepare:
            self.loop.at(self.ready + self.request.tactics.prepare, self._write)
        else:
            self._write()

    def _write(self) -> None:
        if self.end or self.link is None:
            return
        self.wrote = now()
        try:
            self.link.sock.send(REQUEST.pack(self.request.number, self._order))
        except OSError as error:
            self._ends(sign_of(error))
            return
        self.link.watch(self._heard)

    def _heard(self) -> None:
        assert self.link is not None
        try:
            data = self.link.sock.recv(4096)
        except BlockingIOError:
            return
        except OSError as error:
            self._ends(sign_of(error))
            return
        self._read += data
        if not data:
            self._ends(EOF)
        elif len(self._read) >= REQUEST.size:
            self._ends(ANSWER)

    def _too_long(self) -> None:
        self._ends(TIMEOUT)

    def abandon(self) -> None:
        """The request's deadline is over: nobody waits for this try any more."""
        self._ends(ABANDONED)

    def _ends(self, end: str) -> None:
        if self.end:
            return
        self.end, self.ended_at = end, now()
        self._limit.cancel()
        pool = self.request.pool
        if self.link is None:
            if self._order == 0:
                pool.wait_no_more(self.request.home)
        elif end == ANSWER:
            self.link.ignore()
            pool.give_back(self.link)
        else:
            pool.drop(self.link)
        self.request.ended(end)

    def row(self) -> list[Any]:
        return [self.port, self.opened, self.new, self.taken, self.ready, self.wrote, self.ended_at, self.end]
