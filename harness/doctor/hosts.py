"""The doctor for machines reached over SSH: all that an experiment will need of each, tried as it will try it."""

import asyncio
import shlex
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec

from harness.doctor.capability import Finding
from harness.errors import HalfopenError, Unavailable
from harness.labs.ssh.clock import Relation
from harness.labs.ssh.command import NoAgent
from harness.labs.ssh.connection import Connection, connect
from harness.labs.ssh.edge import Edge, find_edge
from harness.labs.ssh.host import SshHost
from harness.labs.ssh.known import Distrusted
from harness.labs.ssh.prompts import Prompts
from harness.labs.ssh.survey import check_privilege, data_path
from harness.spec.hosts import Hosts, HostSide, RemoteHost

# Clocks that are told apart no better than this blur every detection time by a kernel tick or more.
_CLOCK_ERROR_S = 0.010


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that an experiment needs of one host, or (not ``required``) that makes it better.

    ``present`` None: it could not be tried. ``how``: what was found. ``get``: what to do where it is missing.
    """

    host: str
    side: HostSide
    name: str
    present: bool | None = None
    how: str = ""
    get: str = ""
    required: bool = True


class _Kind(msgspec.Struct, frozen=True):
    name: str
    get: str
    required: bool = True
    router: bool = False


_KINDS = (
    _Kind("login", "as said above; OpenSSH tells more: {ssh}", router=True),
    _Kind("host key", "as said above, once ssh-keygen -l on the host shows that fingerprint", router=True),
    _Kind("Python", "Python 3.8 or later on the host, as python3 in its PATH", router=True),
    _Kind("privilege", 'log in as root, or say how to become root: become = "sudo -n"', router=True),
    _Kind("data address", "an address or a device that the host has"),
    _Kind(
        "fault back end", "a kernel with CONFIG_NF_TABLES_NETDEV or CONFIG_NF_TABLES_INET; as root: modprobe nf_tables"
    ),
    _Kind(
        "separate control path",
        "SSH by another device than the data's; till then only faults that hit nothing but the tested connection",
        required=False,
    ),
    _Kind("HZ", "nothing to do: 250 is assumed, and predictions are less sure", required=False),
    _Kind("clock", "a control network with shorter round trips", required=False),
)


async def examine_hosts(hosts: Hosts, prompts: Prompts | None = None) -> list[Check]:
    """Log in to every host and try everything, at once; return what was found, host by host. Never raises."""
    asker = prompts or Prompts()
    examined = [_Examined(host) for host in hosts.all]
    try:
        await asyncio.gather(*(each.log_in(hosts, asker) for each in examined))
        await asyncio.gather(*(each.look() for each in examined))
        client, server, *_ = examined
        await server.try_("clock", lambda: _clock(client, server))
        client.found["clock"] = Finding(True, "the one that the server's is held against") if client.here else _UNTRIED
    finally:
        if prompts is None:
            asker.close()
        await asyncio.gather(*(each.connection.close() for each in examined if each.connection))
    return [check for each in examined for check in each.checks(hosts.ssh_config)]


_UNTRIED = Finding(None, "could not be tried")


class _Examined:
    """What was found of one host so far, by the name of the check."""

    def __init__(self, host: RemoteHost) -> None:
        self.host = host
        self.connection: Connection | None = None
        self.here: SshHost | None = None
        self.found: dict[str, Finding] = {}

    def checks(self, ssh_config: Path | None) -> list[Check]:
        ssh = _ssh(self.host, ssh_config)
        return [
            Check(
                host=self.host.name_typed,
                side=self.host.side,
                name=kind.name,
                present=finding.present,
                how=finding.how,
                get=kind.get.format(ssh=ssh),
                required=kind.required,
            )
            for kind in _KINDS
            if kind.router or self.host.side != "router"
            for finding in (self.found.get(kind.name, _UNTRIED),)
        ]

    async def log_in(self, hosts: Hosts, prompts: Prompts) -> None:
        """Connect; where that fails, the error says how far it came."""
        try:
            self.connection = await connect(self.host, hosts, prompts)
        except Distrusted as error:
            self.found["host key"] = self._failed(error)
        except NoAgent as error:
            self.found["login"] = Finding(True, "works")
            self.found["host key"] = Finding(True, "is known")
            self.found[error.lacks] = self._failed(error)
        except HalfopenError as error:
            self.found["login"] = self._failed(error)
        else:
            self._tell(self.connection)

    def _tell(self, connection: Connection) -> None:
        control = connection.control
        self.found["login"] = Finding(True, f"{control[0]} port {control[1]}" if control else "by way of another host")
        self.found["host key"] = Finding(True, str(connection.host_key))
        self.found["Python"] = Finding(True, connection.python)

    async def look(self) -> None:
        """Ask the agent for its facts, and try what follows from them."""
        if self.connection is None:
            return
        try:
            facts = await self.connection.agent.ask("facts")
        except HalfopenError as error:
            self.found["privilege"] = self._failed(error)
            return
        here = self.here = SshHost(self.host.side, self.host, self.connection, facts)
        await self.try_("privilege", lambda: _privilege(here))
        if self.host.side == "router":
            return
        await self.try_("data address", lambda: _data_address(here))
        await self.try_("HZ", lambda: _hz(facts))
        if here.device:
            await self.try_("separate control path", lambda: _control_path(here))
            await self.try_("fault back end", lambda: _back_end(here))

    async def try_(self, name: str, check: Callable[[], Awaitable[Finding]]) -> None:
        try:
            self.found[name] = await check()
        except HalfopenError as error:
            self.found[name] = self._failed(error)

    def _failed(self, error: HalfopenError) -> Finding:
        missing = isinstance(error, Unavailable)
        return Finding(False if missing else None, str(error).removeprefix(f"{self.host.name_typed}: "))


async def _privilege(here: SshHost) -> Finding:
    check_privilege(here)
    return Finding(True, "CAP_NET_ADMIN, CAP_NET_RAW" + (f" by {here.asked.become}" if here.asked.become else ""))


async def _data_address(here: SshHost) -> Finding:
    data_path(here, here, [])
    return Finding(True, f"{', '.join(here.addresses.values())} on {here.device}")


async def _control_path(here: SshHost) -> Finding:
    device = here.facts["route_device"]
    if device is None:
        return Finding(None, "it is not known by which device SSH goes")
    if device == here.device:
        return Finding(False, f"data and SSH both go by {device}")
    return Finding(True, f"SSH by {device}, data by {here.device}")


async def _back_end(here: SshHost) -> Finding:
    if not here.facts["can_admin"]:
        return Finding(None, "cannot be tried without privilege")
    index, own = here.facts["indices"][here.device], here.device != here.facts["route_device"]
    found = await find_edge(here.agent, here.device, index, sorted(here.addresses), own)
    if not isinstance(found, Edge):
        return Finding(False, found)
    return Finding(True, found.name if "lossy" in found.offers else f"{found.name}, which drops all or nothing")


async def _hz(facts: dict[str, Any]) -> Finding:
    hz = facts["hz"]
    return Finding(False, facts["hz_how"] or "not found") if hz is None else Finding(True, f"{hz} ({facts['hz_how']})")


async def _clock(client: _Examined, server: _Examined) -> Finding:
    if client.here is None or server.here is None:
        return Finding(None, "cannot be tried without both hosts")
    relations = [Relation(_now(each.here)) for each in (client, server) if each.here]
    for relation in relations:
        await relation.relate()
    at = time.monotonic_ns()
    (offset, error), (its, its_error) = (relation.offset(at) for relation in relations)
    error_s = (error + its_error) / 1e9
    how = f"{(its - offset) / 1e9:+.6f} s from the client's, known to {error_s * 1e3:.3f} ms"
    return Finding(error_s <= _CLOCK_ERROR_S, how)


def _ssh(host: RemoteHost, ssh_config: Path | None) -> str:
    """Return the command that logs in to ``host`` by OpenSSH, and says what it does."""
    words = ["ssh", "-v"]
    if ssh_config is not None:
        words += ["-F", str(ssh_config)]
    if host.port is not None:
        words += ["-p", str(host.port)]
    return shlex.join([*words, f"{host.user}@{host.name}" if host.user else host.name])


def _now(host: SshHost) -> Callable[[], Awaitable[int]]:
    async def ask() -> int:
        return int((await host.agent.ask("now"))["at"])

    return ask
