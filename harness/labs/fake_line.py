"""One connection of the scripted lab (``fake``), as its router sees it: packets that pass, or that are dropped.

Instants are CLOCK_MONOTONIC seconds, as in a capture.
"""

import time
from collections.abc import Callable
from typing import Any

from harness.labs.protocols import Flow
from harness.observe.packets import Packet
from harness.spec.sides import SIDES, Side, other

_TRANSIT_S = 1e-6
_FIRST_SEQ, _WINDOW = 1000, 500


class Line:
    """``cut_to``: the ends that nothing reaches. ``listener``: whoever is told of every packet."""

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self.cut_to: set[Side] = set()
        self.listener: Callable[[Any], None] | None = None
        self._next: dict[Side, int] = dict.fromkeys(SIDES, _FIRST_SEQ)
        self._ports: dict[Side, int] = {"client": flow.client_port, "server": flow.server_port}

    def send(self, sender: Side, payload: int = 0, flags: str = ".", **fields: Any) -> None:
        """Have ``sender`` send a segment now: it reaches the router, and leaves it unless the path is cut."""
        receiver = other(sender)
        seq = fields.setdefault("seq", self._next[sender])
        self._next[sender] = max(self._next[sender], seq + payload + ("S" in flags) + ("F" in flags))
        fields = {"window": _WINDOW, "ack": self._next[receiver], "flags": flags, "payload": payload, **fields}
        self._pass(sender, f"r-{sender}", False, fields)
        if receiver not in self.cut_to:
            self._pass(sender, f"r-{receiver}", True, fields)

    def _pass(self, sender: Side, device: str, outgoing: bool, fields: dict[str, Any]) -> None:
        if self.listener is not None:
            at, to = time.monotonic() + outgoing * _TRANSIT_S, other(sender)
            ports: dict[str, Any] = {"sport": self._ports[sender], "dport": self._ports[to]}
            self.listener(Packet(at, device, outgoing, self.flow.ipv, sender, to, **ports, **fields))
