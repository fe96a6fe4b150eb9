"""The network between two machines: nothing of it can be touched, so a fault goes on the peer's own host.

There it stands between the network and that host's TCP: what the survivor sends is lost on arrival, what the peer sends
never leaves. To the survivor that looks like a fault on the way.
"""

import contextlib
from typing import Any

from harness.errors import Unavailable
from harness.labs.agent import EndpointGone
from harness.labs.protocols import Ability, Flow, Mark, OnExpiry, Unreachable
from harness.labs.ssh.edge import Edge
from harness.labs.ssh.host import SshHost
from harness.spec.sides import Side
from netns.edge import Loss


class EdgePath:
    """Faults on ``peer``. ``deaf_since``: since when (ns, lab's clock) all of a flow's packets to the peer are lost."""

    def __init__(self, peer: SshHost, edge: Edge) -> None:
        self._peer, self._edge = peer, edge
        self._put: dict[Flow, list[str]] = {}
        self.deaf_since: dict[Flow, int] = {}

    @property
    def offers(self) -> frozenset[Ability]:
        return self._edge.offers

    @property
    def back_end(self) -> str:
        return self._edge.name

    async def watch(self, flow: Flow) -> None:
        """It is about to be opened: nothing is to be done for that here."""

    async def unwatch(self, flow: Flow) -> None:
        """It is of no interest any more."""

    def renew(self, edge: Edge) -> None:
        """The peer's machine was started anew: nothing of what was put is left."""
        self._edge = edge
        self._put.clear()
        self.deaf_since.clear()

    async def cut(self, flow: Flow, *, to_client: bool, to_server: bool) -> Mark:
        arriving, leaving = (to_client, to_server) if self._peer.name == "client" else (to_server, to_client)
        mark = await self._do(flow, Loss(arriving=arriving, leaving=leaving))
        if arriving:
            self.deaf_since[flow] = mark.after
        return mark

    async def lossy(self, flow: Flow, percent: float) -> Mark:
        return await self._do(flow, Loss(arriving=True, leaving=True, percent=percent))

    async def heal(self, flow: Flow) -> Mark:
        """Undo the latest first; where nothing was done, the mark is now."""
        said: dict[str, Any] | None = None
        # A host that is gone, or was powered off, has nothing left to undo: its guard, or its end, saw to it.
        with contextlib.suppress(EndpointGone):
            for name in reversed(self._put.pop(flow, [])):
                said = await self._edge.undo(name)
        self.deaf_since.pop(flow, None)
        return self._peer.mark(said) if said is not None else self._peer.now_mark()

    async def reject(self, flow: Flow, kind: Unreachable, toward: Side) -> Mark:
        raise _cannot()

    async def shrink_mtu(self, flow: Flow, toward: Side, mtu: int) -> Mark:
        raise _cannot()

    async def place(self, flow: Flow, where: str, survivor: Side) -> Mark:
        raise _cannot()

    async def masquerade(self, timeout_s: int, on_expiry: OnExpiry) -> Mark:
        raise _cannot()

    async def mapped(self, flow: Flow) -> bool:
        return False

    async def _do(self, flow: Flow, loss: Loss) -> Mark:
        name, said = await self._edge.put(self._peer.ends(flow), loss)
        self._put.setdefault(flow, []).append(name)
        return self._peer.mark(said)


def _cannot() -> Unavailable:
    """Not reached by an experiment: what a lab cannot do is said when it is built (labs/place.py)."""
    return Unavailable("between these hosts stands nothing that could do this; give a router in the file of hosts")
