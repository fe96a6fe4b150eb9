"""Turns at being busy: only a few trials set up or strike at a time, so that they do not make each other late.

Whoever is to strike goes before whoever is to set up: a connection that is open has had its quiet, and must not wait
until hundreds of others are open as well.
"""

import asyncio
import contextlib
import heapq
import itertools
from collections.abc import AsyncIterator

STRIKING, SETTING_UP = 0, 1


class Turns:
    """``at_once``: how many may be busy at the same time."""

    def __init__(self, at_once: int = 1) -> None:
        self._free = at_once
        self._order = itertools.count()
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []

    @contextlib.asynccontextmanager
    async def take(self, what: int) -> AsyncIterator[None]:
        """Wait for a turn and keep it for the length of the ``async with``."""
        await self._take(what)
        try:
            yield
        finally:
            self._pass_on()

    async def _take(self, what: int) -> None:
        if self._free > 0:
            self._free -= 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (what, next(self._order), turn))
        try:
            await turn
        except asyncio.CancelledError:
            # Given the turn and cancelled at the same moment: it is the next one's.
            if turn.done() and not turn.cancelled():
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        while self._waiting:
            turn = heapq.heappop(self._waiting)[2]
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1
