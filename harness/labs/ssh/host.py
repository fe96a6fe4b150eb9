"""A machine reached over SSH, behind the protocol that every host answers to.

What it stamps is told in the lab's clock: identity on the survivor's host, translated on the others, and there every
bracket is widened by the error of the translation (labs/ssh/clock.py).
"""

import asyncio
import base64
import contextlib
import tempfile
from collections.abc import Awaitable, Callable
from typing import Any

from pyroute2.netlink import NETLINK_SOCK_DIAG

from harness.errors import Unavailable
from harness.labs.agent import AgentEndpoint, EndpointGone
from harness.labs.protocols import Flow, Mark, SocketSeen
from harness.labs.seen import seen
from harness.labs.ssh.clock import Clocks
from harness.labs.ssh.connection import Connection
from harness.spec.hosts import RemoteHost
from netns import sockets
from netns.edge import Ends

Event = dict[str, Any]

# What an agent's and an endpoint's answers call an instant.
_AT = ("at", "armed", "read_at", "blocked_at", "ping_due")
_PING_EVERY_S, _PING_WITHIN_S = 1.0, 5.0
_COMMAND_WITHIN_S = 60.0


class SshEndpoint:
    """An endpoint process on another host than the survivor's: what it says of instants is told in the lab's clock."""

    def __init__(self, endpoint: AgentEndpoint, told: Callable[[Event], Event]) -> None:
        self.name = endpoint.name
        self._endpoint, self._told = endpoint, told

    async def ask(self, do: str, **arguments: Any) -> Event:
        return self._told(await self._endpoint.ask(do, **arguments))

    def listen_to(self, conn: str, call: Callable[[Event], None]) -> None:
        self._endpoint.listen_to(conn, lambda event: call(self._told(event)))


class SshHost:
    """``side``: which end of the connection it is, or router. ``facts``: what its agent says of it."""

    def __init__(self, side: str, asked: RemoteHost, connection: Connection, facts: dict[str, Any]) -> None:
        self.name = side
        self.asked = asked
        self.connection, self.facts = connection, facts
        self.clocks: Clocks | None = None  # set once the hosts' clocks are related
        self.addresses: dict[int, str] = {}
        self.peer_addresses: dict[int, str] = {}
        self.device = ""
        self.revive: Callable[[], Awaitable[None]] | None = None
        self.off = False
        self.lost = False  # its agent has ended
        self.may_go = False  # its power is being cut
        self._set: set[str] = set()  # sysctls that were set, and which the agent sets back at its end if not before

    @property
    def agent(self) -> Any:
        return self.connection.agent

    def address(self, ipv: int) -> str:
        try:
            return self.addresses[ipv]
        except KeyError:
            raise Unavailable(
                f"{self.asked.name_typed} has no IPv{ipv} data address; give one in the file of hosts"
            ) from None

    async def endpoint(self, name: str) -> Any:
        found = await self.agent.endpoint(name)
        return found if self._is_survivor else SshEndpoint(found, self.told)

    async def kill(self, name: str) -> Event:
        return self.told(await self.agent.ask("kill", name=name))

    async def stop(self, name: str) -> Event:
        return self.told(await self.agent.ask("stop", name=name))

    async def resume(self, name: str) -> Event:
        return self.told(await self.agent.ask("continue", name=name))

    async def socket(self, flow: Flow) -> SocketSeen | None:
        """Look one socket up, by addresses and ports: a machine in use may have very many."""
        if self.off:
            return None
        ends = self.ends(flow)
        request = sockets.lookup(flow.ipv, ends.local, ends.remote)
        data = base64.b64encode(request).decode()
        said = await self.agent.ask("netlink", protocol=NETLINK_SOCK_DIAG, data=data, wait=[], dump=True)
        for answer in said["answers"]:
            found = sockets.decode(base64.b64decode(answer))
            if found.state != "LISTEN" and found.remote_port == ends.remote[1]:
                return seen(found)
        return None

    async def sysctl(self, name: str, value: int | None = None, missing: int | None = None) -> int:
        asked = {"value": value} if value is not None else {}
        if value is not None:
            self._set.add(name)
        if missing is not None:
            asked["missing"] = missing
        return int((await self.agent.ask("sysctl", name=name, **asked))["value"])

    async def restore(self, name: str) -> None:
        if name in self._set:
            self._set.discard(name)
            await self.agent.ask("undo", name=f"sysctl:{name}")

    async def power_off(self) -> Mark:
        """Have the user's command cut the power: it was cut while that ran. Raises Unavailable where it fails."""
        before = self._now()
        self.may_go = True
        await _run(self.asked.power_off or "", f"{self.asked.name_typed}: power_off")
        self.off = True
        after = self._now()
        self.connection.abort()
        return Mark(before=before, after=after, where=self.name, peer="powered off")

    async def power_on(self) -> None:
        """Have the user's command start the machine, where there is one, and wait until it can be reached again."""
        if not self.off or not self.asked.power_on:
            return
        await _run(self.asked.power_on, f"{self.asked.name_typed}: power_on")
        assert self.revive is not None
        await self.revive()
        self.off = self.may_go = False

    def ends(self, flow: Flow) -> Ends:
        """Return the connection as this host sees it."""
        mine = flow.client_port if self.name == "client" else flow.server_port
        theirs = flow.server_port if self.name == "client" else flow.client_port
        return Ends(flow.ipv, (self.address(flow.ipv), mine), (self.peer_addresses[flow.ipv], theirs))

    def told(self, event: Event) -> Event:
        """Return an answer or event with its instants in the lab's clock; a bracket is widened by the error."""
        if self._is_survivor:
            return event
        assert self.clocks is not None
        told = dict(event)
        for key in _AT:
            if isinstance(told.get(key), int):
                told[key], _ = self.clocks.tell(self.name, told[key])
        if isinstance(told.get("before"), int) and isinstance(told.get("after"), int):
            before, error = self.clocks.tell(self.name, told["before"])
            after, later = self.clocks.tell(self.name, told["after"])
            told["before"], told["after"] = before - error, after + later
        return told

    def mark(self, said: Event, peer: str = "cut off") -> Mark:
        """Return the mark of what this host did between the instants ``before`` and ``after`` that it said."""
        told = self.told(said)
        return Mark(before=told["before"], after=told["after"], where=self.name, peer=peer)

    def now_mark(self) -> Mark:
        """Return the mark of this very instant."""
        at = self._now()
        return Mark(before=at, after=at, where=self.name)

    async def stay_in_touch(self, ping: Callable[[], Awaitable[Any]]) -> None:
        """Renew the agent's lease every second, for ever; a host that does not answer in time is given up."""
        with contextlib.suppress(EndpointGone):
            while True:
                await asyncio.sleep(_PING_EVERY_S)
                try:
                    async with asyncio.timeout(_PING_WITHIN_S):
                        await ping()
                except TimeoutError:
                    self.connection.abort()
                    return

    def describe(self) -> dict[str, Any]:
        return {"addresses": list(self.addresses.values()), **self.connection.describe()}

    @property
    def _is_survivor(self) -> bool:
        return self.clocks is not None and self.clocks.survivor == self.name

    def _now(self) -> int:
        assert self.clocks is not None
        return self.clocks.now()


async def _run(command: str, what: str) -> None:
    """Run a command of the user's on this machine, by the shell. Raises Unavailable where it fails or does not end."""
    nothing = asyncio.subprocess.DEVNULL
    # A file, not a pipe: what the command leaves running (a machine) may hold it open for ever.
    with tempfile.TemporaryFile() as complaint:
        process = await asyncio.create_subprocess_shell(command, stdin=nothing, stdout=nothing, stderr=complaint)
        try:
            async with asyncio.timeout(_COMMAND_WITHIN_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
            raise Unavailable(f"{what}: the command did not end within {_COMMAND_WITHIN_S:g} s") from None
        complaint.seek(0)
        said = complaint.read().decode(errors="replace").strip()
    if process.returncode:
        last = said.rpartition("\n")[2]
        raise Unavailable(f"{what}: the command failed with code {process.returncode}" + (f": {last}" if last else ""))
