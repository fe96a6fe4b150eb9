"""How the clocks of hosts stand to each other: from pings over their agents' channels, with a stated error.

A ping's answer carries the host's CLOCK_MONOTONIC; it was stamped between the question and the answer, so it is right
to half the round trip (RFC 5905, section 8). The ping with the shortest round trip tells most. Between pings clocks
drift apart: by less than ``DRIFT`` where crystals are as they should be (60 ppm were seen between a guest and its
machine). Instants are nanoseconds; offsets are the host's clock minus this program's.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Collection
from typing import NamedTuple

DRIFT = 100e-6
_PINGS = 20
_KEPT = 64


class Sample(NamedTuple):
    """One ping: when it was (by this program's clock), the offset, and half its round trip."""

    at: int
    offset: int
    error: int

    def error_at(self, instant: int) -> float:
        """Return how wrong the offset may be at another instant."""
        return self.error + abs(instant - self.at) * DRIFT


class Relation:
    """One host's clock against this program's. ``ask`` returns the host's clock."""

    def __init__(self, ask: Callable[[], Awaitable[int]]) -> None:
        self._ask = ask
        self._samples: deque[Sample] = deque(maxlen=_KEPT)
        self._first: Sample | None = None
        self.last: Sample | None = None
        self.moved_ns = 0

    async def ping(self) -> Sample:
        """Ask once; what that tells counts from now on."""
        before = time.monotonic_ns()
        at = await self._ask()
        after = time.monotonic_ns()
        sample = Sample((before + after) // 2, at - (before + after) // 2, -(-(after - before) // 2))
        self._samples.append(sample)
        return sample

    async def relate(self) -> None:
        """Ping a few times; the best of them is held against the best of the last time."""
        best = min([await self.ping() for _ in range(_PINGS)], key=lambda sample: sample.error)
        if self.last is not None:
            apart = abs(best.offset - self.last.offset)
            self.moved_ns = max(0, round(apart - best.error - self.last.error_at(best.at)))
        self._first, self.last = self._first or best, best

    def offset(self, instant: int) -> tuple[int, int]:
        """Return the offset at an instant of this program's clock, and its error: by the sample that tells most."""
        best = min(self._samples, key=lambda sample: sample.error_at(instant))
        return best.offset, round(best.error_at(instant))

    @property
    def drift_ppm(self) -> float | None:
        """How much faster than this program's the host's clock ran, from the first relation to the last."""
        if self._first is None or self.last is None or self.last.at - self._first.at < 1_000_000_000:
            return None
        return (self.last.offset - self._first.offset) / (self.last.at - self._first.at) * 1e6


class Clocks:
    """The clocks of all hosts, told in that of one: the survivor's, which needs no telling."""

    def __init__(self, survivor: str, relations: dict[str, Relation]) -> None:
        self.survivor = survivor
        self._relations = relations

    def now(self) -> int:
        """Return the survivor's clock as it stands now."""
        here = time.monotonic_ns()
        return here + self._relations[self.survivor].offset(here)[0]

    def tell(self, host: str, instant: int) -> tuple[int, int]:
        """Return an instant of ``host``'s clock in the survivor's, and the error of that."""
        if host == self.survivor:
            return instant, 0
        there, survivor = self._relations[host], self._relations[self.survivor]
        # When it was by this program's clock need not be known well: offsets change slowly.
        here = instant - there.offset(time.monotonic_ns())[0]
        offset, error = there.offset(here)
        wanted, wanted_error = survivor.offset(here)
        return instant - offset + wanted, error + wanted_error

    def error_ns(self) -> int:
        """Return the error with which an instant of now is told across hosts: the worst of them."""
        here = time.monotonic_ns()
        own = self._relations[self.survivor].offset(here)[1]
        return max((r.offset(here)[1] + own for h, r in self._relations.items() if h != self.survivor), default=0)

    async def relate(self, without: Collection[str] = ()) -> None:
        """Relate every host's clock anew, but for those that are gone."""
        await asyncio.gather(*(r.relate() for host, r in self._relations.items() if host not in without))

    def moved_ns(self) -> int:
        """Return by how much the clocks moved between the last two relations, beyond drift and error."""
        return sum(relation.moved_ns for relation in self._relations.values())

    def describe(self) -> dict[str, float | str | None]:
        """Return what a record says: whose clock it is told in, the error, and how fast the others drift from it."""
        own = self._relations[self.survivor].drift_ppm
        drifts = [r.drift_ppm for h, r in self._relations.items() if h != self.survivor]
        known = [drift - own for drift in drifts if drift is not None and own is not None]
        return {
            "of": self.survivor,
            "error_s": self.error_ns() / 1e9,
            "drift_ppm": max(known, key=abs) if known else None,
        }
