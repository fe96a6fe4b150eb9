"""Two machines reached over SSH, and perhaps a router between them, behind the protocol that every lab answers to.

Its clock is the survivor's own, so a lab serves trials of one survivor (labs/ssh/place.py sees to that).
"""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from harness.errors import Unavailable
from harness.labs.protocols import Ability, Flow
from harness.labs.ssh.between import check_forwarding, devices_between
from harness.labs.ssh.clock import Clocks, Relation
from harness.labs.ssh.connection import Connection, connect, connect_all
from harness.labs.ssh.edge import Edge, find_edge
from harness.labs.ssh.host import SshHost
from harness.labs.ssh.packets import DEVICES, Packets
from harness.labs.ssh.path import EdgePath
from harness.labs.ssh.router import RouterPath
from harness.labs.ssh.survey import check_privilege, check_reach, data_path, kernel_of
from harness.observe.pcap import PcapWriter
from harness.observe.trace import FlowKey
from harness.predict.situation import Kernel
from harness.spec.hosts import Hosts
from harness.spec.sides import SIDES, Side, other
from netns.between import Between

# How long a host goes on without a word from here, before it undoes everything.
LEASE_S = 4
_REVIVE_WITHIN_S, _REVIVE_EVERY_S = 120.0, 1.0


class SshLab:
    """Made by ``build``; close it."""

    kind = "ssh"
    client: SshHost
    server: SshHost
    path: EdgePath | RouterPath

    def __init__(self, hosts: Hosts, survivor: Side) -> None:
        self._asked, self._survivor = hosts, survivor
        self._connections: dict[str, Connection] = {}
        self._hosts: dict[str, SshHost] = {}
        self._relations: dict[str, Relation] = {}
        self._touch: dict[str, asyncio.Task[None]] = {}
        # Which hosts capture, on which devices: by what packets are to say of them.
        self._taps: dict[str, dict[str, str]] = {}
        self._router: RouterPath | None = None
        self._packets: Packets | None = None
        self._watched: dict[int, int] = {}
        self._gone: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.kernel = Kernel()

    @classmethod
    async def build(cls, hosts: Hosts, survivor: Side, versions: Sequence[int], keep: Path | None) -> "SshLab":
        """Reach the hosts and make them ready for trials over these IP versions. Raises Unavailable."""
        lab = cls(hosts, survivor)
        try:
            await lab._build(sorted(set(versions)), keep)
        except BaseException:
            await lab.close()
            raise
        return lab

    async def _build(self, versions: list[int], keep: Path | None) -> None:
        for connection in await connect_all(self._asked):
            self._connections[connection.host.side] = connection
        taken = await asyncio.gather(*map(self._take, self._connections.values()), return_exceptions=True)
        for failure in filter(None, taken):
            raise failure
        self.client, self.server = self._hosts["client"], self._hosts["server"]
        data_path(self.client, self.server, versions)
        self._taps = await self._find_taps(versions)
        await check_reach(self.client, self.server, versions)
        self._clocks = Clocks(self._survivor, self._relations)
        for host in self._hosts.values():
            host.clocks = self._clocks
        await self._clocks.relate()
        self.kernel = kernel_of(self._hosts[self._survivor].facts)
        await self._find_path(versions)
        self._packets = Packets(self._tell, self._unheard, PcapWriter(keep) if keep else None)
        await asyncio.gather(*(self._tap(self._hosts[side]) for side in self._taps))

    async def _find_taps(self, versions: list[int]) -> dict[str, dict[str, str]]:
        """Return where packets are seen: on the router, where there is one that forwards; else on both hosts."""
        router = self._hosts.get("router")
        if router is None:
            return {side: {side: self._hosts[side].device} for side in SIDES}
        await check_forwarding(router, versions)
        return {router.name: devices_between(router, self.client, self.server, versions)}

    async def _find_path(self, versions: list[int]) -> None:
        """Have faults put into the router, where there is one; else on the peer's host."""
        router, peer = self._hosts.get("router"), self._hosts[other(self._survivor)]
        if router is None:
            self.path = EdgePath(peer, await self._find_edge(peer, versions))
        else:
            only = Between(self.client.addresses, self.server.addresses)
            self.path = self._router = await RouterPath.build(router, only)

    async def _take(self, connection: Connection) -> None:
        """Learn what a host is, and keep in touch with it from now on."""
        side = connection.host.side
        host = self._hosts[side] = SshHost(side, connection.host, connection, await connection.agent.ask("facts"))
        host.revive = lambda: self._revive(side)
        connection.agent.on_end = lambda: self._lose(side, connection)
        check_privilege(host)
        relation = self._relations[side] = Relation(lambda: _clock(host))
        await connection.agent.ask("lease", seconds=LEASE_S)
        self._touch[side] = asyncio.create_task(host.stay_in_touch(relation.ping))

    def _lose(self, side: str, connection: Connection) -> None:
        """Note that an agent has ended, or is not heard any more."""
        host = self._hosts[side]
        if host.connection is not connection:
            return
        host.lost = True
        if not self._gone.done() and not host.may_go:
            what = "its agent was ended by somebody else" if connection.reached else "it is not heard any more"
            self._gone.set_result(f"{host.asked.name_typed}: {what}; what was put there is undone there")

    async def _revive(self, side: str) -> None:
        """Reach a machine again that was started anew: another boot, another agent, another clock."""
        self._touch.pop(side).cancel()
        host = self._hosts[side]
        await host.connection.close()
        until = asyncio.get_running_loop().time() + _REVIVE_WITHIN_S
        while True:
            try:
                connection = self._connections[side] = await connect(host.asked, self._asked)
                break
            except Unavailable:
                if asyncio.get_running_loop().time() > until:
                    raise
                await asyncio.sleep(_REVIVE_EVERY_S)
        self._relations.pop(side)
        await self._take(connection)
        fresh = self._hosts[side]
        # Whoever holds the host goes on holding it.
        host.connection, host.facts, host.lost = fresh.connection, fresh.facts, False
        self._hosts[side] = host
        self._touch.pop(side).cancel()
        self._touch[side] = asyncio.create_task(host.stay_in_touch(self._relations[side].ping))
        await self._clocks.relate()
        if side != self._survivor and isinstance(self.path, EdgePath):
            self.path.renew(await self._find_edge(host, sorted(host.addresses)))
        if side in self._taps:
            await self._tap(host)

    async def _find_edge(self, peer: SshHost, versions: list[int]) -> Edge:
        index, own = peer.facts["indices"][peer.device], peer.device != peer.facts["route_device"]
        found = await find_edge(peer.agent, peer.device, index, versions, own)
        if isinstance(found, str):
            raise Unavailable(f"{peer.asked.name_typed}: no packet fault can be put there ({found})")
        return found

    async def _tap(self, host: SshHost) -> None:
        assert self._packets is not None
        packets, name = self._packets, host.name
        host.agent.on_event = lambda event: packets.take(name, event) if event["event"] == "frames" else None
        await host.agent.ask("tap", devices=self._taps[name])
        for port in self._watched:
            await host.agent.ask("watch", port=port)

    def _tell(self, host: str, instant: int) -> int:
        return self._clocks.tell(host, instant)[0]

    def _unheard(self, device: str, key: FlowKey, at: int) -> bool:
        """Whether a packet that arrived at the peer's device was lost behind it, where the fault stands."""
        if device != DEVICES[other(self._survivor)]:
            return False
        flow = Flow(ipv=6 if key.ipv == 6 else 4, client_port=key.client_port, server_port=key.server_port)
        since = self.path.deaf_since.get(flow)
        return since is not None and at >= since

    # -- the protocol ----------------------------------------------------------------------------------------------

    @property
    def offers(self) -> frozenset[Ability]:
        found = self.path.offers
        if self._hosts[other(self._survivor)].asked.power_off:
            found |= {"power"}
        return found

    def now(self) -> float:
        return self._clocks.now() / 1e9

    async def relate(self) -> None:
        await self._clocks.relate([side for side, host in self._hosts.items() if host.off])

    def moved_s(self) -> float:
        return self._clocks.moved_ns() / 1e9

    async def on_packets(self, flow: Flow, call: Callable[[Any], None] | None) -> None:
        assert self._packets is not None
        port = flow.server_port
        count = self._watched.get(port, 0) + (1 if call is not None else -1)
        if call is not None:
            await self.path.watch(flow)
            self._packets.listen(flow, call)
        if call is not None and count == 1:
            await self._everywhere("watch", port=port)
        if call is None:
            await self.path.unwatch(flow)
            self._packets.listen(flow, None)
            if count == 0:
                await self._everywhere("unwatch", port=port)
        self._watched[port] = count
        if count <= 0:
            del self._watched[port]

    async def drain(self) -> None:
        """Ask the taps for all they have; what they send comes before their answers."""
        assert self._packets is not None
        await self._everywhere("drain")
        self._packets.hand_over()

    async def _everywhere(self, do: str, **arguments: Any) -> None:
        up = [host for host in map(self._hosts.__getitem__, self._taps) if not (host.off or host.lost)]
        await asyncio.gather(*(host.agent.ask(do, **arguments) for host in up))

    def lost_packets(self) -> int:
        return 0 if self._packets is None else self._packets.lost

    def describe(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "kernel": self.kernel.version,
            "hz": self.kernel.hz,
            "hosts": {side: host.describe() for side, host in self._hosts.items()},
            "clock": self._clocks.describe(),
            "back_end": self.path.back_end,
        }

    async def machine(self) -> dict[str, Any]:
        """Return what each host says of itself."""
        names = ("kernel", "machine", "python", "hz", "hz_how")
        return {"hosts": {side: {name: host.facts.get(name) for name in names} for side, host in self._hosts.items()}}

    async def gone(self) -> str:
        return await asyncio.shield(self._gone)

    async def close(self) -> None:
        """End the agents, which undo what is still to be undone, and the connections."""
        for task in self._touch.values():
            task.cancel()
        await asyncio.gather(*self._touch.values(), return_exceptions=True)
        if self._packets is not None:
            self._packets.close()
        if self._router is not None:
            self._router.close()
        await asyncio.gather(*(connection.close() for connection in self._connections.values()))


async def _clock(host: SshHost) -> int:
    return int((await host.agent.ask("now"))["at"])
