"""The lab of network namespaces on this machine, behind the protocols that every lab answers to."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from harness.endpoints import bundle
from harness.labs.agent import Agent
from harness.labs.ground import Ground
from harness.labs.local_host import NetnsHost
from harness.labs.local_path import NetnsPath
from harness.labs.protocols import Ability, Flow
from harness.observe.capture import Capture
from harness.observe.packets import Packet
from harness.observe.pcap import PcapWriter
from harness.observe.trace import FlowKey, key_of
from harness.predict.situation import Kernel
from netns.capture import open_capture
from netns.lab import Host


class NetnsLab:
    """client - router - server in namespaces. Made by ``build``; close it."""

    kind = "netns"
    offers: frozenset[Ability] = frozenset({"cut", "lossy", "reject", "mtu", "nat", "places", "short-orphans"})
    client: NetnsHost
    server: NetnsHost
    path: NetnsPath

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.ground = Ground()
        self._listeners: dict[FlowKey, Callable[[Packet], None]] = {}
        # Told of every packet, whatever its flow: for those who open more connections than they can name beforehand.
        self.tap: Callable[[Packet], None] | None = None
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
        built, call = await self.ground.build(), self.ground.call
        agents = []
        for host in (built.client, built.server):
            # In a process group of its own: Ctrl-C in a terminal reaches the controller, which decides what it means.
            process = await call(
                host.spawn,
                [sys.executable, *bundle.COMMAND],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                process_group=0,
            )
            agents.append(self._start(host, process))
        self.client, self.server = agents
        self.path = NetnsPath(self.ground, await call(lambda: built.filter))
        sockets = await call(open_capture, built)
        self._keep = PcapWriter(keep) if keep else None
        self._capture = Capture(sockets, self._pass_on, self._keep)
        loop = asyncio.get_running_loop()
        for _, sock in sockets:
            loop.add_reader(sock, self._capture.read_ready)
        for started in agents:
            await started.started()

    def _start(self, host: Host, process: "subprocess.Popen[bytes]") -> NetnsHost:
        assert process.stdin is not None and process.stdout is not None
        sink, source = _own(process.stdin), _own(process.stdout)
        started = NetnsHost(self.ground, host, Agent(host.name, source, sink), process)
        self._hosts.append(started)
        return started

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
        return {"lab_sysctls": await self.ground.call(self.client.sysctls)}

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
        await self.ground.close()


def _own(pipe: IO[bytes]) -> int:
    """Take a descriptor of one's own out of a pipe object, so that there is one owner to close it."""
    descriptor = os.dup(pipe.fileno())
    pipe.close()
    return descriptor
