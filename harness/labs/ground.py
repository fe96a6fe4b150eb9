"""What the lab of namespaces stands on: ``netns``, whose calls are synchronous, and a thread of its own that makes
them, so that the event loop only waits for events.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from harness.errors import Unavailable
from netns.enter import enter
from netns.errors import LabError
from netns.lab import Lab

P = ParamSpec("P")
T = TypeVar("T")


def go_private() -> None:
    """Have this process enter private namespaces; call it before anything starts a thread. Raises Unavailable."""
    try:
        enter()
    except LabError as error:
        raise Unavailable(str(error)) from None


class Ground:
    """The namespaces, once ``build`` has made them. ``translates``: whether the router masquerades."""

    def __init__(self) -> None:
        self.translates = False
        self._thread = ThreadPoolExecutor(1, "lab")
        self._lab: Lab | None = None

    async def build(self) -> Lab:
        """Make the namespaces and what links them. Raises Unavailable."""
        self._lab = await self.call(Lab)
        return self._lab

    @property
    def lab(self) -> Lab:
        assert self._lab is not None
        return self._lab

    async def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Make a synchronous call on the thread. Raises Unavailable where the machine cannot do it."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, lambda: function(*args, **kwargs))
        except LabError as error:
            raise Unavailable(str(error)) from None

    async def close(self) -> None:
        """Take the namespaces down and end the thread."""
        if self._lab is not None:
            await self.call(self._lab.close)
        self._thread.shutdown()
