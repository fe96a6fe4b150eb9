"""A connection in a lab: who is who, its packets on the router, and what its ends have told.

Instants are CLOCK_MONOTONIC seconds.
"""

import asyncio
from collections.abc import Coroutine
from functools import partial
from typing import Any

from harness.events import Tell
from harness.faults.base import End, Fault
from harness.labs.protocols import Flow, Lab, Mark
from harness.observe.packets import Packet
from harness.observe.trace import FlowKey, Trace
from harness.spec.settings import Settings
from harness.spec.sides import Side, other
from harness.spec.trial import Trial

_EVENT_WITHIN_S = 10.0


class Stage:
    """The Scene that faults work on (faults/base.py), and all that the experiment knows beside."""

    def __init__(self, lab: Lab, trial: Trial, fault: Fault, flow: Flow, ends: dict[Side, End], tell: Tell) -> None:
        self.lab, self.trial, self.fault, self.flow, self.tell = lab, trial, fault, flow, tell
        self.survivor = ends[trial.survivor]
        self.peer = ends[other(trial.survivor)]
        self.trace = Trace(FlowKey(flow.client_port, flow.server_port, flow.ipv))
        self.settings = Settings()
        self.armed_at: float | None = None
        self.wrote_at: float | None = None  # traffic write: when the kernel was given the data
        self.healed: Mark | None = None  # an outage that ended by itself, when it did
        self.lost_before = 0  # packets that the capture had lost before this trial
        self.survivor_gone = False  # connect: the socket is closed by the time that it has failed
        self._work: list[asyncio.Task[None]] = []
        self.changed = asyncio.Event()  # a packet was seen or an event heard: look again
        for end in ends.values():
            end.endpoint.listen_to(end.conn, partial(self._hear, end))

    async def watch(self) -> None:
        """See every packet of the connection from now on."""
        await self.lab.on_packets(self.flow, self._see)

    def _hear(self, end: End, event: dict[str, Any]) -> None:
        end.heard.append(event)
        if event["event"] != "pong":
            self.tell("endpoint", side=end.side, **{"what" if k == "event" else k: v for k, v in event.items()})
        self.changed.set()

    def _see(self, packet: Packet) -> None:
        self.tell("packet", packet=packet)
        segment = self.trace.feed(packet)
        if segment.packet is packet:
            self.tell("segment", segment=segment)
        self.changed.set()

    def said(self, end: End, what: str) -> dict[str, Any] | None:
        """Return the first event of that name that ``end`` told, None if there is none yet."""
        return next((event for event in end.heard if event["event"] == what), None)

    async def hears(self, end: End, what: str, within_s: float = _EVENT_WITHIN_S) -> dict[str, Any]:
        """Wait for an event of ``end``. Raises TimeoutError."""
        async with asyncio.timeout(within_s):
            while (event := self.said(end, what)) is None:
                await self.look_again()
        return event

    async def look_again(self) -> None:
        """Wait until anything has changed."""
        await self.changed.wait()
        self.changed.clear()

    async def last_passed(self) -> float:
        await self.lab.drain()
        # What the router says itself, an RST say, has not come through it.
        passed = (s.left_at for s in self.trace.segments if s.arrived_at is not None)
        return max(at for at in passed if at is not None)

    async def until(self, instant: float) -> None:
        while (left := instant - self.lab.now()) > 0:
            await asyncio.sleep(left)

    async def window_closed(self) -> float:
        async with asyncio.timeout(_EVENT_WITHIN_S):
            while (closed := self.closed_window()) is None:
                await self.look_again()
        return closed

    def closed_window(self) -> float | None:
        """Return when the survivor was told of the window that is still closed now; None: it is open."""
        return self.trace.window_closed_at(self.survivor.side)

    def meanwhile(self, work: Coroutine[Any, Any, None]) -> None:
        """Have ``work`` done beside the waiting; ``close`` ends it."""
        self._work.append(asyncio.create_task(work))

    async def close(self) -> None:
        """End what is still being done, and listen to no more packets."""
        await self.lab.on_packets(self.flow, None)
        for work in self._work:
            work.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)
