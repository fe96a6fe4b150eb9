"""What an experiment asks of a lab. A lab of namespaces and a lab of machines answer alike.

Instants are nanoseconds of the lab's clock, which is the CLOCK_MONOTONIC of the survivor's host: its kernel's timers
and its program's stamps need no translation. What another host stamped is told in that clock, and a bracket stamped
there is widened by the error of the translation.
"""

from collections.abc import Callable
from typing import Any, Literal, Protocol

import msgspec

from harness.predict.situation import Kernel
from harness.spec.sides import Side

OnExpiry = Literal["silent", "reset"]
Unreachable = Literal["host", "net", "admin"]
# What a fault needs of a lab, beyond processes and connections: see Lab.offers.
Ability = Literal["cut", "lossy", "reject", "mtu", "nat", "places", "short-orphans", "power"]


class Flow(msgspec.Struct, frozen=True, kw_only=True):
    """One TCP connection as the router sees it."""

    ipv: Literal[4, 6]
    client_port: int
    server_port: int


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """When something came into force: not before ``before`` and not after ``after`` (ns); ``where`` it was put.

    ``peer``: what became of the peer: cut off, killed, powered off, stopped, vanished, closed, deaf (reads no more),
    serving.
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

    async def power_off(self) -> Mark:
        """Take the whole machine's power. Raises Unavailable where that cannot be had."""
        ...

    async def power_on(self) -> None:
        """Start it again where that can be had, and wait until it can be reached. One that is on stays on."""
        ...

    async def socket(self, flow: Flow) -> SocketSeen | None:
        """Return this host's end of ``flow``, None where it has none."""
        ...

    async def sysctl(self, name: str, value: int | None = None, missing: int | None = None) -> int:
        """Return the sysctl, after setting it where ``value`` is given; ``missing`` where this kernel has none.

        What was set is set back when the lab is closed, or by ``restore``.
        """
        ...

    async def restore(self, name: str) -> None:
        """Set a sysctl back to what it was before the lab; nothing happens where it was never set."""
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

    @property
    def kernel(self) -> Kernel:
        """The survivor's kernel."""
        ...

    @property
    def offers(self) -> frozenset[Ability]:
        """What can be done here: a fault that needs more cannot be had."""
        ...

    def now(self) -> float:
        """Return the lab's clock in seconds."""
        ...

    async def relate(self) -> None:
        """Measure how the clocks of the hosts stand to each other; before and after each trial."""
        ...

    def moved_s(self) -> float:
        """Return by how much the clocks moved against each other beyond the error that instants were widened by."""
        ...

    async def on_packets(self, flow: Flow, call: Callable[[Any], None] | None) -> None:
        """Have ``call`` told of every packet of ``flow`` that is seen between the hosts; None ends it."""
        ...

    async def drain(self) -> None:
        """Take in every packet captured so far."""
        ...

    def lost_packets(self) -> int:
        """Return how many packets the capture had no room for: it can prove nothing about those."""
        ...

    def describe(self) -> dict[str, Any]:
        """Return what a record says of the lab."""
        ...

    async def machine(self) -> dict[str, Any]:
        """Return what a run's metadata say of the hosts, beside the machine that the program runs on."""
        ...

    async def gone(self) -> str:
        """Wait until a host has gone that was not to go, which may be never; return the sentence that says so."""
        ...

    async def close(self) -> None: ...
