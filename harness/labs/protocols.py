"""What an experiment asks of a lab. A lab of namespaces and a lab of machines answer alike.

Instants are CLOCK_MONOTONIC nanoseconds of the host that did the thing.
"""

from collections.abc import Callable
from typing import Any, Literal, Protocol

import msgspec

from harness.spec.sides import Side

OnExpiry = Literal["silent", "reset"]
Unreachable = Literal["host", "net", "admin"]


class Flow(msgspec.Struct, frozen=True, kw_only=True):
    """One TCP connection as the router sees it."""

    ipv: Literal[4, 6]
    client_port: int
    server_port: int


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """When something came into force: not before ``before`` and not after ``after`` (ns); ``where`` it was put.

    ``peer``: what became of the peer: cut off, killed, stopped, vanished, closed, deaf (reads no more), serving.
    """

    before: int
    after: int
    where: str = "router"
    peer: str = "cut off"

    @property
    def at_s(self) -> float:
        """The middle, in seconds: the best single instant."""
        return (self.before + self.after) / 2e9

    @property
    def uncertainty_s(self) -> float:
        return (self.after - self.before) / 2e9


class SocketSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A socket as sock_diag(7) shows it. ``timer``: none, retransmit, keepalive, timewait or probe.

    ``owned``: a process still holds it; one that none holds is an orphan, or the remains of one (TIME_WAIT).
    """

    state: str
    timer: str
    timer_expires_s: float | None = None
    retransmits: int = 0
    rqueue: int = 0
    wqueue: int = 0
    owned: bool = True


class Endpoint(Protocol):
    """A process on a host that holds connections. Raises EndpointGone where it has died."""

    @property
    def name(self) -> str: ...

    async def ask(self, do: str, **arguments: Any) -> dict[str, Any]: ...

    def listen_to(self, conn: str, call: Callable[[dict[str, Any]], None]) -> None: ...


class Host(Protocol):
    """A machine, real or not, with its agent."""

    @property
    def name(self) -> str: ...

    def address(self, ipv: int) -> str: ...

    async def endpoint(self, name: str) -> Endpoint:
        """Start an endpoint process, or return the one of that name."""
        ...

    async def kill(self, name: str) -> dict[str, Any]:
        """kill -9 the endpoint ``name``; returns before, after (ns) and the signal it died of."""
        ...

    async def stop(self, name: str) -> dict[str, Any]: ...

    async def resume(self, name: str) -> dict[str, Any]: ...

    async def socket(self, flow: Flow) -> SocketSeen | None:
        """Return this host's end of ``flow``, None where it has none."""
        ...

    async def sysctl(self, name: str, value: int | None = None, missing: int | None = None) -> int:
        """Return the sysctl, after setting it where ``value`` is given; ``missing`` where this kernel has none."""
        ...


class Path(Protocol):
    """The network between the hosts, and what can be done to it. Each act returns when it was in force."""

    async def cut(self, flow: Flow, *, to_client: bool, to_server: bool) -> Mark: ...

    async def lossy(self, flow: Flow, percent: float) -> Mark: ...

    async def reject(self, flow: Flow, kind: Unreachable, toward: Side) -> Mark:
        """Answer packets toward ``toward`` with ICMP unreachable; drop those of the other direction."""
        ...

    async def shrink_mtu(self, flow: Flow, toward: Side, mtu: int) -> Mark: ...

    async def place(self, flow: Flow, where: str, survivor: Side) -> Mark:
        """Cut the path elsewhere than in the router: on the survivor's own host, on a link, at the next hop."""
        ...

    async def masquerade(self, timeout_s: int, on_expiry: OnExpiry) -> Mark: ...

    async def mapped(self, flow: Flow) -> bool:
        """Return whether the router still knows the masqueraded connection."""
        ...

    async def heal(self, flow: Flow) -> Mark:
        """Undo everything that was done to this flow's path. Healing what is whole is no error."""
        ...


class Lab(Protocol):
    """Two hosts and what lies between."""

    @property
    def kind(self) -> str: ...

    @property
    def client(self) -> Host: ...

    @property
    def server(self) -> Host: ...

    @property
    def path(self) -> Path: ...

    def on_packets(self, flow: Flow, call: Callable[[Any], None] | None) -> None:
        """Have ``call`` told of every packet of ``flow`` that the router sees; None ends it."""
        ...

    def drain(self) -> None:
        """Take in every packet captured so far."""
        ...

    def lost_packets(self) -> int:
        """Return how many packets the capture had no room for: it can prove nothing about those."""
        ...

    def describe(self) -> dict[str, Any]: ...

    async def close(self) -> None: ...
