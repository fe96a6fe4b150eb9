"""The router between two machines: faults stand in its path of forwarded packets, as in the lab of namespaces.

It may be somebody's real router. So all that is put into it is one table, which its guard removes should this program
or the agent be gone; its rules are bound to the two data addresses and to the ports of the connections that are
tested; and its answers' rate limit is lifted only while it has packets to refuse.
"""

import asyncio
import contextlib
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, ParamSpec, TypeVar

from pyroute2.netlink import NETLINK_NETFILTER

from harness.errors import Unavailable
from harness.labs.agent import EndpointGone
from harness.labs.protocols import Ability, Flow, Mark, OnExpiry, Unreachable
from harness.labs.ssh.edge import promise
from harness.labs.ssh.host import SshHost
from harness.labs.ssh.kernel import FarKernel
from harness.spec.sides import Side
from netns import filter as packet_filter
from netns import nft
from netns.between import Between
from netns.edge import Act
from netns.errors import LabError
from netns.flownat import FlowNat
from netns.lab import UNLIMITED_ICMP
from netns.netlink import Request, Stamps

P = ParamSpec("P")
T = TypeVar("T")

_NOTHING = Request(b"", ())
_NO_SUCH_SYSCTL = -1


class RouterPath:
    """Made by ``build``; close it. ``deaf_since``: no flow's, since what the router sent on was not lost behind it."""

    back_end = "nft on the router"
    offers: frozenset[Ability] = frozenset({"cut", "lossy", "reject", "mtu", "nat"})
    _filter: packet_filter.Filter
    _nat: FlowNat

    def __init__(self, host: SshHost) -> None:
        self._host = host
        self._thread = ThreadPoolExecutor(1, "router")
        self._put: dict[Flow, list[packet_filter.Done]] = {}
        self._rejected: set[Flow] = set()
        self._limits: list[str] = []
        self._limiting = asyncio.Lock()
        self._next_nat: str | None = None
        self._promised: dict[Flow, str] = {}
        self.deaf_since: dict[Flow, int] = {}

    @classmethod
    async def build(cls, host: SshHost, only: Between) -> "RouterPath":
        """Put an empty table into the router ``host``, for packets between those addresses. Raises Unavailable."""
        path = cls(host)
        table = nft.Table(f"halfopen-{secrets.token_hex(4)}")
        removal = Act(NETLINK_NETFILTER, _NOTHING, nft.batch([nft.delete_table(table)]))
        try:
            await promise(host.agent, table.name, removal)
            kernel = FarKernel(host.agent, NETLINK_NETFILTER)
            path._filter = await path._call(partial(packet_filter.Filter, kernel, table=table, only=only))
            path._nat = FlowNat(kernel, table, only)
        except BaseException:
            path.close()
            raise
        return path

    async def cut(self, flow: Flow, *, to_client: bool, to_server: bool) -> Mark:
        return await self._do(flow, self._filter.cut, _seen(flow), to_client, to_server)

    async def lossy(self, flow: Flow, percent: float) -> Mark:
        return await self._do(flow, self._filter.lossy, _seen(flow), percent)

    async def reject(self, flow: Flow, kind: Unreachable, toward: Side) -> Mark:
        async with self._limiting:
            if not self._rejected:
                await self._lift_limits()
            self._rejected.add(flow)
        return await self._do(flow, self._filter.reject, _seen(flow), kind, toward)

    async def shrink_mtu(self, flow: Flow, toward: Side, mtu: int) -> Mark:
        return await self._do(flow, self._filter.shrink_mtu, _seen(flow), toward, mtu)

    async def place(self, flow: Flow, where: str, survivor: Side) -> Mark:
        """Not reached by an experiment: see ``offers``."""
        raise Unavailable("on machines reached over SSH a fault goes into the router, and nowhere else")

    async def masquerade(self, timeout_s: int, on_expiry: OnExpiry) -> Mark:
        """Translate the connection that is watched next, and no other."""
        self._next_nat, stamps = await self._call(self._nat.prepare, timeout_s, on_expiry)
        return self._mark(stamps)

    async def mapped(self, flow: Flow) -> bool:
        return await self._call(self._nat.mapping, _seen(flow)) is not None

    async def watch(self, flow: Flow) -> None:
        """The connection is about to be opened."""
        if self._next_nat is None:
            return
        kind, self._next_nat = self._next_nat, None
        name = f"halfopen-mapping-{flow.ipv}-{flow.client_port}-{flow.server_port}"
        forgetting = Act(NETLINK_NETFILTER, _NOTHING, self._nat.forgetting(_seen(flow)))
        await promise(self._host.agent, name, forgetting)
        self._promised[flow] = name
        await self._call(self._nat.translate, kind, _seen(flow))

    async def unwatch(self, flow: Flow) -> None:
        """The connection is of no interest any more: what the router still knows of it, it forgets."""
        name = self._promised.pop(flow, None)
        if name is not None:
            with contextlib.suppress(EndpointGone):
                await self._call(self._nat.end, _seen(flow))
                await self._host.agent.ask("undo", name=name)

    async def heal(self, flow: Flow) -> Mark:
        """Undo the latest first; where nothing was done, the mark is now."""
        mark = None
        # A router that is gone has nothing left to undo: its guard, or its end, saw to it.
        with contextlib.suppress(EndpointGone):
            for done in reversed(self._put.pop(flow, [])):
                undone = await self._call(done.undo)
                mark = self._mark(Stamps(undone.before_ns, undone.after_ns))
            async with self._limiting:
                if self._rejected == {flow}:
                    await self._restore_limits()
                self._rejected.discard(flow)
        return mark or self._host.now_mark()

    def close(self) -> None:
        """What is in the router goes with its agent."""
        self._thread.shutdown(wait=False)

    async def _lift_limits(self) -> None:
        """Have the router answer every packet that it refuses."""
        for name, value in UNLIMITED_ICMP.items():
            if await self._host.sysctl(name, value, missing=_NO_SUCH_SYSCTL) != _NO_SUCH_SYSCTL:
                self._limits.append(name)

    async def _restore_limits(self) -> None:
        while self._limits:
            await self._host.restore(self._limits.pop())

    async def _do(self, flow: Flow, act: Callable[..., packet_filter.Done], *arguments: Any) -> Mark:
        done = await self._call(act, *arguments)
        self._put.setdefault(flow, []).append(done)
        return self._mark(Stamps(done.before_ns, done.after_ns))

    def _mark(self, stamps: Stamps) -> Mark:
        return self._host.mark({"before": stamps.before_ns, "after": stamps.after_ns})

    async def _call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Make a synchronous call on the router's thread. Raises Unavailable where its kernel cannot do it."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._thread, lambda: function(*args, **kwargs))
        except LabError as error:
            raise Unavailable(f"{self._host.asked.name_typed}: {error}") from None


def _seen(flow: Flow) -> packet_filter.Flow:
    return packet_filter.Flow(flow.ipv, flow.client_port, flow.server_port)
