"""A pool of connections that keeps itself full: what is found dead is replaced at once.

The pool has places; a place's connection is handed out when it is its turn, and comes back when it is idle again.
A place that is asked for while its connection is still being made gives that one when it is there.
Instants are CLOCK_MONOTONIC nanoseconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.endpoints.loop import Loop, now
from harness.endpoints.pool_checks import CHECKS
from harness.endpoints.pool_link import Link

if TYPE_CHECKING:
    from collections.abc import Callable

    # A connection, whether it is new, and when it was looked at; or None, and last the sign that connect() met.
    Taken = Callable[[Link | None, bool, int, str | None], None]


class Pool:
    """``check``: the name of a check before use, "background" for a reader of all idle connections, or "".

    ``patience``: ns after which the making of a replacement is given up. ``caught``: [port, opened, seen at] of each
    connection that the check or the reader took out. ``opened``: how many were made.
    """

    def __init__(self, loop: Loop, address: tuple[str, int], check: str, patience: int) -> None:
        self.loop, self.address = loop, address
        self._check = CHECKS.get(check)
        self._background = check == "background"
        self._patience = patience
        self._idle: dict[int, Link] = {}
        self._opening: dict[int, Link] = {}
        self._waiting: dict[int, Taken] = {}
        self._retired: set[int] = set()
        self.caught: list[tuple[int, int, int]] = []
        self.opened = 0
        self.over = False

    def fill(self, home: int) -> None:
        """Make a connection for a place that has none, in the background."""
        if self.over or home in self._retired or home in self._idle or home in self._opening:
            return
        link = self._opening[home] = Link(self.loop, self.address, home, lambda sign: self._filled(home, sign))
        self.loop.at(now() + self._patience, lambda: self._give_up(home, link))

    def _filled(self, home: int, sign: str | None) -> None:
        link = self._opening.pop(home)
        waiting = self._waiting.pop(home, None)
        if sign is None:
            self.opened += 1
        if waiting is not None:
            waiting(link if sign is None else None, True, now(), sign)
        elif sign is None:
            self.give_back(link)

    def _give_up(self, home: int, link: Link) -> None:
        if self._opening.get(home) is link:
            del self._opening[home]
            link.close()
            waiting = self._waiting.pop(home, None)
            if waiting is not None:
                waiting(None, True, now(), "timeout")

    def take(self, home: int, call: Taken) -> None:
        """Hand over the connection of ``home`` to ``call``, after the check; a new one where it is dead or missing."""
        link = self._idle.pop(home, None)
        at = now()
        if link is not None and self._passes(link, at):
            call(link, False, at, None)
            return
        self._waiting[home] = call
        self.fill(home)

    def take_other(self, new: bool, call: Taken) -> None:
        """Hand over another connection: the one that has been idle longest, as pools do; with ``new``, a new one."""
        if not new and self._idle:
            link = min(self._idle.values(), key=lambda link: link.idle_since)
            self.take(link.home, call)
            return
        made = Link(self.loop, self.address, -1, lambda sign: self._made(made, call, sign))

    def _made(self, link: Link, call: Taken, sign: str | None) -> None:
        if sign is None:
            self.opened += 1
        call(link if sign is None else None, True, now(), sign)

    def wait_no_more(self, home: int) -> None:
        """Nobody wants the connection any more that is being made for ``home``."""
        self._waiting.pop(home, None)

    def _passes(self, link: Link, at: int) -> bool:
        if self._background:
            link.ignore()
        if self._check is None or not self._check(link.sock):
            return True
        self.caught.append((link.port, link.opened, at))
        link.close()
        return False

    def give_back(self, link: Link) -> None:
        """Put a healthy connection back in its place; one whose place is taken is closed."""
        if link.home < 0 or link.home in {*self._idle, *self._opening, *self._retired} or self.over:
            link.close()
            return
        link.idle_since = now()
        self._idle[link.home] = link
        if self._background:
            link.watch(lambda: self._heard(link))

    def _heard(self, link: Link) -> None:
        """Nobody sends anything unasked: what can be read on an idle connection is its end."""
        self.caught.append((link.port, link.opened, self.loop.woke))
        del self._idle[link.home]
        link.close()
        self.fill(link.home)

    def drop(self, link: Link) -> None:
        """Close a connection that failed, and replace it."""
        link.close()
        if link.home >= 0:
            self.fill(link.home)

    def retire(self, home: int) -> None:
        """The place sends nothing more: its connection is closed, and not replaced."""
        self._retired.add(home)
        for links in (self._idle, self._opening):
            link = links.pop(home, None)
            if link is not None:
                link.close()

    def close(self) -> None:
        self.over = True
        for link in (*self._idle.values(), *self._opening.values()):
            link.close()
        self._idle.clear()
        self._opening.clear()
        self._waiting.clear()
