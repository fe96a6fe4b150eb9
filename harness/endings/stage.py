"""A connection whose two ends do what an ending tells them, call by call, while both sockets are watched.

The sockets are looked at (sock_diag) whenever a packet passes the router, whenever an end's program says something, and
after each call: nothing polls. Instants are CLOCK_MONOTONIC seconds until ``seen`` counts from the instant asked.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any

import msgspec

from harness.endings.record import CLOSED, Act, Look, Passed
from harness.endings.states import SLACK_S
from harness.faults.base import End
from harness.labs.agent import EndpointGone
from harness.scene.stage import Stage
from harness.spec.sides import SIDES, Side, other

_WITHIN_S = 2.0
_LEAD_S = 0.02  # the instant asked lies so far ahead, so that everybody is ready when it comes
_MOST_LOOKS, _LATE_S = 50, 0.01


class EndingStage:
    """``closer`` says goodbye first, ``other`` is who is left."""

    def __init__(self, stage: Stage, closer: Side) -> None:
        self.stage = stage
        ends = {end.side: end for end in (stage.peer, stage.survivor)}
        self.closer, self.other = ends[closer], ends[other(closer)]
        self.asked_at = time.monotonic()
        self.acts: list[Act] = []
        self.looks: list[Look] = []
        self._news = asyncio.Event()
        self._watching = asyncio.create_task(self._watch())

    # -- doing -----------------------------------------------------------------------------------------------------

    async def quiet(self) -> None:
        """Look at the open connection, and wait until everything that was said on it is acknowledged."""
        await self.look()
        await self.sees(lambda: all(self.last(end).wqueue == 0 for end in (self.closer, self.other)))

    async def now(self) -> None:
        """Ask for the ending: it is asked for a moment ahead, and that moment is waited for."""
        self.asked_at = time.monotonic() + _LEAD_S
        await self.stage.until(self.asked_at)

    async def act(self, end: End, call: str, **arguments: Any) -> Act:
        """Have ``end`` make a call, and look at both sockets after it."""
        made = await end.ask("call", call=call, **arguments)
        act = _act(end.side, made, next(iter(arguments.values()), None))
        self.acts.append(act)
        await self.look()
        return act

    async def close(self, end: End, within_s: float = _WITHIN_S) -> None:
        """Have ``end`` close its socket, and wait until close() has returned."""
        await end.ask("call", call="close")
        await self.sees(lambda: self.stage.said(end, "closed") is not None, within_s)

    async def kill(self, end: End) -> None:
        """kill -9 of the end's process."""
        killed = await end.host.kill(end.endpoint.name)
        self._outside(end, "kill", killed["before"], killed["after"])
        await self.look()

    async def exit(self, end: End) -> None:
        """Have the end's process end by itself."""
        left = await end.ask("exit")
        self._outside(end, "exit", left["at"], left["at"])

    async def cut(self) -> None:
        """Cut the path: each end is gone for the other."""
        mark = await self.stage.lab.path.cut(self.stage.flow, to_client=True, to_server=True)
        self._outside(self.other, "cut", mark.before, mark.after)

    async def read_all(self, end: End, most: int = 4) -> None:
        """Read until nothing more comes: the end of the stream twice, or nothing there."""
        for _ in range(most):
            act = await self.act(end, "recv")
            if act.error in ("EOF", "EAGAIN"):
                return

    async def sleep(self, seconds: float) -> None:
        """Let time pass: it is what the ending consists of, not a wait for anything."""
        await asyncio.sleep(seconds)

    # -- seeing ----------------------------------------------------------------------------------------------------

    async def look(self) -> None:
        """Look at both sockets."""
        for side in SIDES:
            host = self.stage.lab.client if side == "client" else self.stage.lab.server
            began = time.monotonic()
            seen = await host.socket(self.stage.flow)
            took = time.monotonic() - began
            if seen is None:
                self.looks.append(Look(at_s=began, took_s=took, side=side, state=CLOSED, owned=False))
                continue
            self.looks.append(
                Look(
                    at_s=began,
                    took_s=took,
                    side=side,
                    state=seen.state,
                    timer=seen.timer,
                    timer_expires_s=seen.timer_expires_s if seen.timer != "none" else None,
                    rqueue=seen.rqueue,
                    wqueue=seen.wqueue,
                    owned=seen.owned,
                )
            )

    async def sees(self, condition: Callable[[], bool], within_s: float = _WITHIN_S) -> bool:
        """Wait until ``condition`` holds; it is asked again after every packet and event. False: it never did."""
        try:
            async with asyncio.timeout(within_s):
                while not condition():
                    await self._news.wait()
                    self._news.clear()
        except TimeoutError:
            return False
        return True

    async def state(self, end: End, *states: str, within_s: float = _WITHIN_S) -> bool:
        """Wait until the end's socket was seen in one of ``states``."""
        return await self.sees(lambda: self.last(end).state in states, within_s)

    async def passed(self, sender: End, *roles: str, payload: int = 0) -> bool:
        """Wait until ``sender`` has sent a segment of one of ``roles`` since the ending was asked for."""
        return await self.sees(
            lambda: any(
                s.sender == sender.side and s.role in roles and s.at >= self.asked_at and s.packet.payload >= payload
                for s in self.stage.trace.segments
            )
        )

    async def gone(self, end: End, within_s: float) -> bool:
        """Wait until the kernel's own timer has taken the socket of ``end``: it says itself when that is to be."""
        until = time.monotonic() + within_s
        for _ in range(_MOST_LOOKS):
            await self.look()
            last = self.last(end)
            if last.state == CLOSED:
                return True
            left = until - time.monotonic()
            if left <= 0:
                return False
            expires = left if last.timer_expires_s is None else last.timer_expires_s
            await asyncio.sleep(min(left, max(_LATE_S, expires)))  # the timer wheel is never early, and may be late
        return False

    def last(self, end: End) -> Look:
        return next(look for look in reversed(self.looks) if look.side == end.side)

    async def settle(self) -> None:
        """Look once more when the last packet is old enough to have had its effect."""
        for _ in range(10):
            await self.stage.lab.drain()
            due = max((s.left_at or s.at for s in self.stage.trace.segments), default=0.0) + 2 * SLACK_S
            if due <= time.monotonic():
                break
            await self.stage.until(due)
        await self.look()

    # -- the end ---------------------------------------------------------------------------------------------------

    def told(self) -> list[Act]:
        """Return every act in order, also what the programs did by themselves, counted from ``asked_at``."""
        acts = list(self.acts)
        for end in (self.closer, self.other):
            for event in end.heard:
                acts += _acts_of(end.side, event)
        shifted = [msgspec.structs.replace(act, at_s=act.at_s - self.asked_at) for act in acts]
        return sorted(shifted, key=lambda act: act.at_s)

    def watched(self) -> list[Look]:
        looks = [msgspec.structs.replace(look, at_s=look.at_s - self.asked_at) for look in self.looks]
        return sorted(looks, key=lambda look: look.at_s)

    def packets(self) -> list[Passed]:
        """Return every segment since the ends were left to the ending."""
        return [
            Passed(
                at_s=s.at - self.asked_at,
                sender=s.sender,
                role=s.role,
                payload=s.packet.payload,
                again=s.again,
                dropped=s.left_at is None,
                left_s=None if s.left_at is None else s.left_at - self.asked_at,
                seq=s.packet.seq,
                ack=s.packet.ack,
            )
            for s in self.stage.trace.segments
            if s.at >= self.looks[0].at_s
        ]

    async def clear(self) -> None:
        """Take away what is left of the connection, without a word, and make the path whole."""
        self._watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._watching
        await self.stage.close()
        for end in (self.closer, self.other):
            with contextlib.suppress(EndpointGone):
                await end.ask("close", how="vanish")
        await self.stage.lab.path.heal(self.stage.flow)

    async def _watch(self) -> None:
        while True:
            await self.stage.look_again()
            await self.look()
            self._news.set()

    def _outside(self, end: End, call: str, before: int, after: int) -> None:
        self.acts.append(Act(at_s=before / 1e9, side=end.side, call=call, took_s=(after - before) / 1e9))


def _act(side: Side, made: dict[str, Any], asked: Any = None) -> Act:
    result, error = made.get("result"), made.get("error")
    if made["call"] == "recv" and result == 0 and asked != 0:
        error = "EOF"
    took = (made["after"] - made["before"]) / 1e9
    return Act(
        at_s=made["before"] / 1e9, side=side, call=made["call"], asked=asked, result=result, error=error, took_s=took
    )


def _acts_of(side: Side, event: dict[str, Any]) -> list[Act]:
    """What an event says that a program did: "closed", "read", "idle" (calls.py)."""
    if event["event"] == "closed":
        return [_act(side, {"call": "close", **event})]
    if event["event"] == "read":
        return [_act(side, event)]
    if event["event"] == "idle" and event["did"] == "shutdown":
        return [_act(side, event["made"], "write")]
    return []
