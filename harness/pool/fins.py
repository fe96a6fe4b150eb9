"""When the end of each connection passed the router on its way to the client: the witness of every race.

Instants are CLOCK_MONOTONIC nanoseconds. A connection is known by the server's port, the client's port and when it was
open: ports are used again.
"""

import bisect

from harness.observe.packets import Packet

_TO_CLIENT = "r-client"


class Fins:
    """Feed it every packet; it keeps the FIN and RST that leave the router toward the client."""

    def __init__(self) -> None:
        self._fins: dict[tuple[int, int], list[int]] = {}
        self._resets: dict[tuple[int, int], list[int]] = {}

    def see(self, packet: Packet) -> None:
        if not packet.outgoing or packet.device != _TO_CLIENT:
            return
        kept = self._resets if "R" in packet.flags else self._fins if "F" in packet.flags else None
        if kept is not None:
            kept.setdefault((packet.sport, packet.dport), []).append(round(packet.at * 1e9))

    def kept(self) -> dict[str, list[tuple[int, int, int]]]:
        """Return all that was seen, [server's port, client's port, instant], for the run's events."""
        return {
            name: [(*ports, at) for ports, instants in found.items() for at in instants]
            for name, found in (("fin", self._fins), ("rst", self._resets))
        }

    def fin(self, server: int, client: int, since: int, until: int) -> int | None:
        """Return when the first FIN within [since, until] passed; None: none did."""
        return _first(self._fins.get((server, client), []), since, until)

    def end(self, server: int, client: int, since: int, until: int) -> int | None:
        """Return when the first FIN or RST within [since, until] passed; None: none did."""
        found = (_first(kept.get((server, client), []), since, until) for kept in (self._fins, self._resets))
        return min((at for at in found if at is not None), default=None)


def _first(instants: list[int], since: int, until: int) -> int | None:
    at = bisect.bisect_left(instants, since)
    return instants[at] if at < len(instants) and instants[at] <= until else None
