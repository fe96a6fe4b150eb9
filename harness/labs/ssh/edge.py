"""The fault back end of a host reached over SSH: which of the ways of netns/edge.py works there, found by trying.

What is put is promised first: the host's guard undoes it should this program or the agent be gone (endpoints/guard.py).
"""

import base64
import itertools
import secrets
from typing import Any, Protocol

from harness.errors import Unavailable
from harness.labs.protocols import Ability
from netns import clsact, edge
from netns.edge import Act, Ends, Loss
from netns.netlink import Request

# Nobody's connection: what the trying is done with (RFC 2544's and RFC 3849's addresses, port 0).
_NOBODY = {
    4: Ends(4, ("198.18.0.1", 0), ("198.18.0.2", 0)),
    6: Ends(6, ("2001:db8::1", 0), ("2001:db8::2", 0)),
}
_BOTH = Loss(arriving=True, leaving=True)
_FIRST_PRIORITY = 4_000


class Asker(Protocol):
    """The agent of a host."""

    async def ask(self, do: str, to: str = "agent", **arguments: Any) -> dict[str, Any]: ...


class Edge:
    """Faults on one host's data device, each under a name of its own. ``name``: the back end, by nft(8) or tc(8)."""

    def __init__(self, agent: Asker, name: str, device: str, index: int) -> None:
        self._agent, self.name = agent, name
        self._device, self._index = device, index
        self._numbers = itertools.count(1)
        self._token = secrets.token_hex(4)

    @property
    def offers(self) -> frozenset[Ability]:
        return frozenset({"cut"}) if self.name == "tc clsact" else frozenset({"cut", "lossy"})

    async def put(self, ends: Ends, loss: Loss) -> tuple[str, dict[str, Any]]:
        """Put the fault; return the name to undo it by, and what the host's kernel answered: before and after (ns)."""
        number = next(self._numbers)
        name = f"halfopen-{self._token}-{number}"
        act = self._act(name, number, ends, loss)
        await promise(self._agent, name, act)
        said = await self._agent.ask("netlink", **packed(act.protocol, act.do))
        if said["errno"]:
            await self._agent.ask("release", name=name)
            raise Unavailable(f"the host's kernel refuses the fault ({self.name}): {said['text']}")
        return name, said

    async def undo(self, name: str) -> dict[str, Any]:
        """Undo it; return when: before and after (ns)."""
        return await self._agent.ask("undo", name=name)

    def _act(self, name: str, number: int, ends: Ends, loss: Loss) -> Act:
        if self.name == "nft netdev":
            return edge.netdev(name, self._device, ends, loss)
        if self.name == "nft inet":
            return edge.inet(name, self._device, ends, loss)
        return clsact.drop(self._index, _FIRST_PRIORITY + number, ends, loss)


async def find_edge(agent: Asker, device: str, index: int, versions: list[int], own_path: bool) -> Edge | str:
    """Return the first back end that works for packets of these IP versions, or the sentence that says why none does.

    ``own_path``: the device carries no SSH connection; one that does gets no qdisc.
    """
    refusals = []
    for name in ("nft netdev", "nft inet", "tc clsact"):
        if name == "tc clsact":
            if not own_path:
                refusals.append("tc clsact: the device carries this very SSH connection")
                continue
            qdisc = clsact.make(index)
            await promise(agent, "clsact", qdisc)
            said = await agent.ask("netlink", **packed(qdisc.protocol, qdisc.do))
            if said["errno"]:
                await agent.ask("release", name="clsact")
                refusals.append(f"tc clsact: {said['text']}")
                continue
        found = Edge(agent, name, device, index)
        try:
            for ipv in versions:
                put, _ = await found.put(_NOBODY[ipv], _BOTH)
                await found.undo(put)
        except Unavailable as error:
            refusals.append(f"{name}: {str(error).rpartition('): ')[2]}")
            if name == "tc clsact":
                await agent.ask("undo", name="clsact")
            continue
        return found
    return "; ".join(refusals)


async def promise(agent: Asker, name: str, act: Act) -> None:
    """Have the host's guard know how to take ``act`` back, before it is put."""
    await agent.ask("promise", name=name, undo=[{"netlink": packed(act.protocol, act.undo)}])


def packed(protocol: int, request: Request) -> dict[str, Any]:
    """Return a netlink request as the agent takes it."""
    data = base64.b64encode(request.data).decode()
    return {"protocol": protocol, "data": data, "wait": list(request.sequences)}
