"""The router between the namespaces, behind the protocol that every path answers to."""

import time
from collections.abc import Callable
from typing import Any

import netns.filter
from harness.labs.ground import Ground
from harness.labs.protocols import Flow, Mark, OnExpiry, Unreachable
from harness.spec.sides import Side, other
from netns import elsewhere


class NetnsPath:
    """The router and what it does to packets. What was done to a flow is remembered, so that ``heal`` undoes it all."""

    def __init__(self, ground: Ground, filter_: netns.filter.Filter) -> None:
        self._ground, self._filter = ground, filter_
        self._undo: dict[Flow, list[netns.filter.Done]] = {}

    async def cut(self, flow: Flow, *, to_client: bool, to_server: bool) -> Mark:
        return await self._do(flow, self._filter.cut, _flow(flow), to_client, to_server)

    async def lossy(self, flow: Flow, percent: float) -> Mark:
        return await self._do(flow, self._filter.lossy, _flow(flow), percent)

    async def reject(self, flow: Flow, kind: Unreachable, toward: Side) -> Mark:
        return await self._do(flow, self._filter.reject, _flow(flow), kind, toward)

    async def shrink_mtu(self, flow: Flow, toward: Side, mtu: int) -> Mark:
        return await self._do(flow, self._filter.shrink_mtu, _flow(flow), toward, mtu)

    async def place(self, flow: Flow, where: str, survivor: Side) -> Mark:
        lab = self._ground.lab
        host, peer = lab.hosts[survivor], lab.hosts[other(survivor)]
        mark = await self._do(flow, elsewhere.place, lab, where, host, peer, _flow(flow))
        return Mark(before=mark.before, after=mark.after, where=where)

    async def masquerade(self, timeout_s: int, on_expiry: OnExpiry) -> Mark:
        self._ground.translates = True
        done = await self._ground.call(self._filter.masquerade, timeout_s, on_expiry)
        return Mark(before=done.before_ns, after=done.after_ns)

    async def mapped(self, flow: Flow) -> bool:
        mappings = await self._ground.call(self._filter.mappings)
        return any(
            (m.ipv, m.client[1], m.server[1]) == (flow.ipv, flow.client_port, flow.server_port) for m in mappings
        )

    async def heal(self, flow: Flow) -> Mark:
        """Undo the latest first; where nothing was done, the mark is now."""
        marks = []
        for done in reversed(self._undo.pop(flow, [])):
            undone = await self._ground.call(done.undo)
            marks.append(Mark(before=undone.before_ns, after=undone.after_ns))
        if not marks:
            at = time.monotonic_ns()
            return Mark(before=at, after=at)
        return marks[-1]

    async def _do(self, flow: Flow, act: Callable[..., netns.filter.Done], *arguments: Any) -> Mark:
        done = await self._ground.call(act, *arguments)
        self._undo.setdefault(flow, []).append(done)
        return Mark(before=done.before_ns, after=done.after_ns)


def _flow(flow: Flow) -> netns.filter.Flow:
    return netns.filter.Flow(flow.ipv, flow.client_port, flow.server_port)
