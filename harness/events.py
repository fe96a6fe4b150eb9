"""How an experiment says what happens while it happens: a name and fields, to whoever listens.

The engine never waits for a listener and draws nothing itself: displays and files are fed from outside.
"""

import time
from collections.abc import Callable
from typing import Any, Protocol

Listener = Callable[[str, dict[str, Any]], None]


class Tell(Protocol):
    def __call__(self, name: str, **fields: Any) -> None: ...


class Teller:
    """Passes each event to every listener, with ``at``: seconds of the saying by ``clock``, which becomes the lab's."""

    def __init__(self, *listeners: Listener) -> None:
        self._listeners = listeners
        self.clock: Callable[[], float] = time.monotonic

    def __call__(self, name: str, **fields: Any) -> None:
        fields.setdefault("at", self.clock())
        for listener in self._listeners:
            listener(name, fields)
