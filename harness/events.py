"""How an experiment says what happens while it happens: a name and fields, to whoever listens.

The engine never waits for a listener and draws nothing itself: displays and files are fed from outside.
"""

import time
from collections.abc import Callable
from typing import Any, Protocol, Self

Listener = Callable[[str, dict[str, Any]], None]


class Tell(Protocol):
    def __call__(self, name: str, **fields: Any) -> None: ...


class Teller:
    """Passes each event to every listener, with ``at``: seconds of the saying by ``clock``, which becomes the lab's."""

    def __init__(self, *listeners: Listener) -> None:
        self._listeners = listeners
        self.clock: Callable[[], float] = time.monotonic

        self._about: dict[str, Any] = {}

    def by(self, clock: Callable[[], float]) -> Self:
        """Return a teller to the same listeners that says its instants by another clock."""
        return self._like(clock, self._about)

    def about(self, **fields: Any) -> Self:
        """Return a teller to the same listeners that adds these fields to every event: which trial it is about."""
        return self._like(self.clock, {**self._about, **fields})

    def also(self, listener: Listener) -> Self:
        """Return a teller that has one more listener."""
        return self._like(self.clock, self._about, listener)

    def _like(self, clock: Callable[[], float], about: dict[str, Any], *more: Listener) -> Self:
        like = type(self)(*self._listeners, *more)
        like.clock, like._about = clock, about
        return like

    def __call__(self, name: str, **fields: Any) -> None:
        fields = {"at": self.clock(), **self._about, **fields}
        for listener in self._listeners:
            listener(name, fields)
