"""The path of the scripted lab: it does what cuts do to a line, and remembers all that was asked of it."""

import time
from collections.abc import Callable
from typing import Any

import msgspec

from harness.labs.fake_line import Line
from harness.labs.protocols import Flow, Mark, OnExpiry, Unreachable
from harness.spec.sides import SIDES, Side


def mark_now() -> Mark:
    return Mark(before=time.monotonic_ns(), after=time.monotonic_ns())


class FakePath:
    """``done``: what was asked of the path, in order. ``leaky``: a cut is said to be in force and lets all through."""

    def __init__(self, line: Callable[[Flow], Line]) -> None:
        self.done: list[tuple[str, dict[str, Any]]] = []
        self.leaky = False
        self.is_mapped = False
        self._line = line

    async def cut(self, flow: Flow, *, to_client: bool, to_server: bool) -> Mark:
        if not self.leaky:
            self._line(flow).cut_to = {s for s, cut in zip(SIDES, (to_client, to_server), strict=True) if cut}
        return self._did("cut", to_client=to_client, to_server=to_server)

    async def lossy(self, flow: Flow, percent: float) -> Mark:
        return self._did("lossy", percent=percent)

    async def reject(self, flow: Flow, kind: Unreachable, toward: Side) -> Mark:
        self._line(flow).cut_to = set(SIDES)
        return self._did("reject", kind=kind, toward=toward)

    async def shrink_mtu(self, flow: Flow, toward: Side, mtu: int) -> Mark:
        return self._did("shrink_mtu", toward=toward, mtu=mtu)

    async def place(self, flow: Flow, where: str, survivor: Side) -> Mark:
        self._line(flow).cut_to = set(SIDES)
        return msgspec.structs.replace(self._did("place", where=where, survivor=survivor), where=where)

    async def masquerade(self, timeout_s: int, on_expiry: OnExpiry) -> Mark:
        return self._did("masquerade", timeout_s=timeout_s, on_expiry=on_expiry)

    async def mapped(self, flow: Flow) -> bool:
        return self.is_mapped

    async def heal(self, flow: Flow) -> Mark:
        self._line(flow).cut_to = set()
        return self._did("heal")

    def _did(self, what: str, **arguments: Any) -> Mark:
        self.done.append((what, arguments))
        return mark_now()
