"""A namespace of this machine, behind the protocol that every host answers to."""

import subprocess
from typing import Any

from harness.errors import Unavailable
from harness.labs.agent import Agent, AgentEndpoint
from harness.labs.ground import Ground
from harness.labs.protocols import Flow, Mark, SocketSeen
from harness.labs.seen import seen
from harness.observe import machine
from netns.lab import Host
from netns.sockets import SocketState


class NetnsHost:
    """A namespace with its agent."""

    def __init__(self, ground: Ground, host: Host, agent: Agent, process: "subprocess.Popen[bytes]") -> None:
        self.name = host.name
        self._ground, self._host, self._agent, self._process = ground, host, agent, process
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
        if found is None and self._ground.translates:
            # Here the other end has the router's address.
            found = await self._ground.call(self._look_for, flow)
        if found is None:
            return None
        return seen(found)

    def _find(self, flow: Flow) -> SocketState | None:
        hosts = self._ground.lab.hosts
        client = (hosts["client"].addresses[flow.ipv], flow.client_port)
        server = (hosts["server"].addresses[flow.ipv], flow.server_port)
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
                self._before.setdefault(name, await self._ground.call(self._host.get_sysctl, name))
                await self._ground.call(self._host.set_sysctl, name, value)
            found = self._known[name] = int(await self._ground.call(self._host.get_sysctl, name))
            return found
        except FileNotFoundError:
            if missing is None:
                raise Unavailable(f"this kernel has no sysctl {name}") from None
            return missing

    async def restore(self, name: str) -> None:
        if name in self._before:
            self._known.pop(name, None)
            await self._ground.call(self._host.set_sysctl, name, self._before.pop(name))

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
