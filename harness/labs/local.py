"""The lab of network namespaces on this machine, behind the protocols that every lab answers to.

``netns`` is synchronous; its calls are made by one thread of their own, so that the event loop only waits for events.
"""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any, ParamSpec, TypeVar

import netns.filter
from harness.endpoints import bundle
from harness.errors import Unavailable
from harness.labs.agent import Agent, AgentEndpoint
from harness.labs.protocols import Ability, Flow, Mark, OnExpiry, SocketSeen, Unreachable
from harness.observe import machine
from harness.observe.capture import Capture
from harness.observe.packets import Packet
from harness.observe.pcap import PcapWriter
from harness.observe.trace import FlowKey, key_of
from harness.predict.situation import Kernel
from harness.spec.sides import Side, other
from netns import elsewhere
from netns.capture import open_capture
from netns.enter import enter
from netns.errors import LabError
from netns.lab import Host, Lab
from netns.sockets import SocketState

P = ParamSpec("P")
T = TypeVar("T")


def go_private() -> None:
    """Have this process enter private namespaces; call it before anything starts a thread. Raises Unavailable."""
    try:
        enter()
    except LabError as error:
        raise Unavailable(str(error)) from None


class NetnsHost:
    """A namespace with its agent. ``call`` makes a synchronous call on the lab's thread."""

    def __init__(self, lab: "NetnsLab", host: Host, agent: Agent, process: "subprocess.Popen[bytes]") -> None:
        self.name = host.name
        self._lab, self._host, self._agent, self._process = lab, host, agent, process
        self._python = ""
        self._before: dict[str, str] = {}
        # As read back: nobody but this object sets them, for the namespace is the program's own.
        self._known: dict[str, int] = {}

    def address(self, ipv: int) -> str:
        return self._host.addresses[ipv]

    async def endpoint(self, name: str) -> AgentEndpoint:
        return await self._agent.endpoint(name)

    async def kill(self, name: str) -> dict[str, Any]:
        return await self._agent.ask("kill", name=name)

    async def stop(self, name: str) -> dict[str, Any]:
        return await self._agent.ask("stop", name=name)

    async def resume(self, name: str) -> dict[str, Any]:
        return await self._agent.ask("continue", name=name)

    async def power_off(self) -> Mark:
        raise Unavailable("a namespace has no power of its own: crash-client and crash-server cut and kill instead")

    async def power_on(self) -> None:
        """It is on."""

    async def socket(self, flow: Flow) -> SocketSeen | None:
        # Some 20 us: less than it takes to have another thread do it.
        found = self._find(flow)
        if found is None and self._lab.translates:
            # Here the other end has the router's address.
            found = await self._lab.call(self._look_for, flow)
        if found is None:
            return None
        return SocketSeen(
            state=found.state,
            timer=found.timer,
            timer_expires_s=found.timer_expires_s,
            retransmits=found.retransmits,
            rqueue=found.rqueue,
            wqueue=found.wqueue,
            owned=found.inode != 0,
        )

    def _find(self, flow: Flow) -> SocketState | None:
        client = (self._lab.client.address(flow.ipv), flow.client_port)
        server = (self._lab.server.address(flow.ipv), flow.server_port)
        local, remote = (client, server) if self.name == "client" else (server, client)
        return self._host.socket(flow.ipv, local, remote)

    def _look_for(self, flow: Flow) -> SocketState | None:
        ports = {flow.client_port, flow.server_port}
        for found in self._host.sockets(ports):
            if {found.local_port, found.remote_port} == ports and found.family == flow.ipv and found.state != "LISTEN":
                return found
        return None

    async def sysctl(self, name: str, value: int | None = None, missing: int | None = None) -> int:
        if value is None and name in self._known:
            return self._known[name]
        try:
            if value is not None:
                self._before.setdefault(name, await self._lab.call(self._host.get_sysctl, name))
                await self._lab.call(self._host.set_sysctl, name, value)
            found = self._known[name] = int(await self._lab.call(self._host.get_sysctl, name))
            return found
        except FileNotFoundError:
            if missing is None:
                raise Unavailable(f"this kernel has no sysctl {name}") from None
            return missing

    async def restore(self, name: str) -> None:
        if name in self._before:
            self._known.pop(name, None)
            await self._lab.call(self._host.set_sysctl, name, self._before.pop(name))

    async def started(self) -> None:
        """Wait until the agent runs."""
        self._python = (await self._agent.started())["python"]

    def describe(self) -> dict[str, Any]:
        """Return what a record says of the host: its addresses, and the Python that the agent runs on."""
        return {"addresses": list(self._host.addresses.values()), "python": self._python}

    def sysctls(self) -> dict[str, str]:
        """Return the sysctls of this host's network namespace that decide the timers."""
        return machine.sysctls(lambda name: self._host.get_sysctl(name.replace("/", ".")))

    def end(self) -> None:
        """End the agent, and with it everything on this host."""
        self._agent.close()
        self._process.wait()


class NetnsPath:
    """The router and what it does to packets. What was done to a flow is remembered, so that ``heal`` undoes it all."""

    def __init__(self, lab: "NetnsLab", filter_: netns.filter.Filter) -> None:
        self._lab, self._filter = lab, filter_
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
        lab = self._lab.built
        host, peer = lab.hosts[survivor], lab.hosts[other(survivor)]
        mark = await self._do(flow, elsewhere.place, lab, where, host, peer, _flow(flow))
        return Mark(before=mark.before, after=mark.after, where=where)

    async def masquerade(self, timeout_s: int, on_expiry: OnExpiry) -> Mark:
        self._lab.translates = True
        done = await self._lab.call(self._filter.masquerade, timeout_s, on_expiry)
        return Mark(before=done.before_ns, after=done.after_ns)

    async def mapped(self, flow: Flow) -> bool:
        mappings = await self._lab.call(self._filter.mappings)
        return any(
            (m.ipv, m.client[1], m.server[1]) == (flow.ipv, flow.client_port, flow.server_port) for m in mappings
        )

    async def heal(self, flow: Flow) -> Mark:
        """Undo the latest first; where nothing was done, the mark is now."""
        marks = []
        for done in reversed(self._undo.pop(flow, [])):
            undone = await self._lab.call(done.undo)
            marks.append(Mark(before=undone.before_ns, after=undone.after_ns))
        if not marks:
            at = time.monotonic_ns()
            return Mark(before=at, after=at)
        return marks[-1]

    async def _do(self, flow: Flow, act: Callable[..., netns.filter.Done], *arguments: Any) -> Mark:
        done = await self._lab.call(act, *arguments)
        self._undo.setdefault(flow, []).append(done)
        return Mark(before=done.before_ns, after=done.after_ns)


class NetnsLab:
    """client - router - server in namespaces. Made by ``build``; close it."""

    kind = "netns"
    offers: frozenset[Ability] = frozenset({"cut", "lossy", "reject", "mtu", "nat", "places", "short-orphans"})
    client: NetnsHost
    server: NetnsHost
    path: NetnsPath

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.translates = False  # whether the router masquerades
        self._thread = ThreadPoolExecutor(1, "lab")
        self._listeners: dict[FlowKey, Callable[[Packet], None]] = {}
        # Told of every packet, whatever its flow: for those who open more connections than they can name beforehand.
        self.tap: Callable[[Packet], None] | None = None
        self._lab: Lab | None = None
        self._capture: Capture | None = None
        self._keep: PcapWriter | None = None
        self._hosts: list[NetnsHost] = []

    @classmethod
    async def build(cls, kernel: Kernel, keep: Path | None = None) -> "NetnsLab":
        """Build the lab, start its agents and its capture (kept in the file ``keep``). Raises Unavailable."""
        lab = cls(kernel)
        try:
            await lab._build(keep)
        except BaseException:
            await lab.close()
            raise
        return lab

    async def _build(self, keep: Path | None) -> None:
        built = self._lab = await self.call(Lab)
        agents = []
        for host in (built.client, built.server):
            # In a process group of its own: Ctrl-C in a terminal reaches the controller, which decides what it means.
            process = await self.call(
                host.spawn,
                [sys.executable, *bundle.COMMAND],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                process_group=0,
            )
            agents.append(self._start(host, process))
        self.client, self.server = agents
        self.path = NetnsPath(self, await self.call(lambda: built.filter))
        sockets = await self.call(open_capture, built)
        self._keep = PcapWriter(keep) if keep else None
        self._capture = Capture(sockets, self._pass_on, self._keep)
        loop = asyncio.get_running_loop()
        for _, sock in sockets:
            loop.add_reader(sock, self._capture.read_ready)
        for started in agents:
            await started.started()

    @property
    def built(self) -> Lab:
        """The lab of namespaces itself."""
        assert self._lab is not None
        return self._lab

    def _start(self, host: Host, process: "subprocess.Popen[bytes]") -> "NetnsHost":
        assert process.stdin is not None and process.stdout is not None
        sink, source = _own(process.stdin), _own(process.stdout)
        started = NetnsHost(self, host, Agent(host.name, source, sink), process)
        self._hosts.append(started)
        return started

    async def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Make a synchronous call on the lab's thread. Raises Unavailable where the machine cannot do it."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, lambda: function(*args, **kwargs))
        except LabError as error:
            raise Unavailable(str(error)) from None

    def now(self) -> float:
        return time.monotonic()

    async def relate(self) -> None:
        """All hosts live by this machine's clock."""

    def moved_s(self) -> float:
        return 0.0

    async def on_packets(self, flow: Flow, call: Callable[[Any], None] | None) -> None:
        key = FlowKey(flow.client_port, flow.server_port, flow.ipv)
        if call is None:
            self._listeners.pop(key, None)
        else:
            self._listeners[key] = call

    def _pass_on(self, packet: Packet) -> None:
        if self.tap is not None:
            self.tap(packet)
        listener = self._listeners.get(key_of(packet))
        if listener is not None:
            listener(packet)

    async def drain(self) -> None:
        assert self._capture is not None
        self._capture.drain()

    def lost_packets(self) -> int:
        """How many packets the capture had no room for, so far."""
        return 0 if self._capture is None else self._capture.lost

    def describe(self) -> dict[str, Any]:
        hosts = {host.name: host.describe() for host in self._hosts}
        return {"kind": self.kind, "kernel": self.kernel.version, "hz": self.kernel.hz, "hosts": hosts}

    async def machine(self) -> dict[str, Any]:
        return {"lab_sysctls": await self.call(self.client.sysctls)}

    async def gone(self) -> str:
        """Its hosts go with this program."""
        return await asyncio.Future()

    async def close(self) -> None:
        """Take everything down. What the agents had started ends with them."""
        if self._capture is not None:
            for _, sock in self._capture.sockets:
                asyncio.get_running_loop().remove_reader(sock)
            self._capture.finish()
            for _, sock in self._capture.sockets:
                sock.close()
        if self._keep is not None:
            self._keep.close()
        for host in self._hosts:
            host.end()
        if self._lab is not None:
            await self.call(self._lab.close)
        self._thread.shutdown()


def _own(pipe: IO[bytes]) -> int:
    """Take a descriptor of one's own out of a pipe object, so that there is one owner to close it."""
    descriptor = os.dup(pipe.fileno())
    pipe.close()
    return descriptor


def _flow(flow: Flow) -> netns.filter.Flow:
    return netns.filter.Flow(flow.ipv, flow.client_port, flow.server_port)
