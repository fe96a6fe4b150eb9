"""What a fault is: how it is put in force, how it is healed, and what it must look like from outside to count.

A fault is one module in this folder with one subclass of ``Fault``; it becomes a command by being there.
"""

from typing import Any, ClassVar, Literal, Protocol

import msgspec

from harness.labs.protocols import Ability, Endpoint, Flow, Host, Lab, Mark
from harness.predict.situation import Effect
from harness.spec.options import Option
from harness.spec.sides import Side
from harness.spec.trial import Traffic, Trial

# What the evidence has to show, so that the trial measures what it says (verdict/proof.py judges).
Claim = Literal[
    "half-open",  # survivor ESTABLISHED; the peer is dead or cut off; nothing reaches the survivor
    "hung",  # survivor ESTABLISHED; the peer's process has stopped, its kernel goes on
    "vanished",  # survivor ESTABLISHED; the peer's host is up without the socket
    "forgotten",  # survivor ESTABLISHED; the NAT between has no mapping any more
    "one-way",  # survivor ESTABLISHED; packets of one direction vanish
    "lossy",  # survivor ESTABLISHED; some packets vanish
    "outage",  # the path was cut, and was whole again when it was said to be
    "closed",  # control: the peer's FIN or RST reached the survivor
    "healthy",  # control: nothing happened
    "unanswered",  # connect: SYNs leave, nothing comes back
]


class End(msgspec.Struct):
    """One end of the connection: its host, its process, and the name that process knows the connection by.

    ``heard`` holds every event that the process told of this connection, in order.
    """

    side: Side
    host: Host
    endpoint: Endpoint
    conn: str
    heard: list[dict[str, Any]] = []

    async def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        return await self.endpoint.ask(do, conn=self.conn, **arguments)


class Scene(Protocol):
    """What a fault works on: the lab, one connection in it, and who is who. ``harness/scene`` has the real one.

    Instants are seconds of the lab's clock.
    """

    lab: Lab
    trial: Trial
    flow: Flow
    survivor: End
    peer: End

    async def last_passed(self) -> float:
        """Return when the router last forwarded a packet of this connection."""
        ...

    async def until(self, instant: float) -> None:
        """Wait for an instant."""
        ...

    async def window_closed(self) -> float:
        """Wait until the peer's closed window has reached the survivor; return when."""
        ...


class Fault:
    """``name`` is the command; ``survivor`` None leaves the choice to ``--survivor``.

    ``own_process``: the peer gets a process of its own, because it will be killed or stopped.
    ``closes_window``: the peer gets a small receive buffer, because its window is to close soon.
    ``traffics``: the kinds of traffic it makes sense with; the first is the default.
    """

    name: ClassVar[str]
    help: ClassVar[str]
    claim: ClassVar[Claim] = "half-open"
    survivor: ClassVar[Side | None] = None
    own_process: ClassVar[bool] = False
    closes_window: ClassVar[bool] = False
    options: ClassVar[tuple[Option, ...]] = ()
    traffics: ClassVar[tuple[Traffic, ...]] = ("idle", "write", "stream", "request", "listen", "blocked")

    def __init__(self, **options: Any) -> None:
        self.values = {option.name: option.default for option in self.options} | options

    def claim_for(self, survivor: Side) -> Claim:
        """Return what the evidence has to show when ``survivor`` is the one that is measured."""
        return self.claim

    def needs(self) -> frozenset[Ability]:
        """Return what the lab must be able to do; nothing, for what is done to processes alone."""
        return frozenset({"cut"})

    def effect(self, traffic: Traffic, survivor: Side) -> Effect:
        """Return what the fault does, as the predictor needs to know it."""
        raise NotImplementedError

    async def prepare(self, lab: Lab) -> None:
        """Do what must be done before the connection is opened; nothing, for most."""

    async def await_moment(self, scene: Scene) -> None:
        """Wait for the moment to strike, where the fault comes by itself; no waiting, for most."""

    async def inject(self, scene: Scene) -> Mark:
        """Put the fault in force and say when."""
        raise NotImplementedError

    def facts(self, mark: Mark) -> dict[str, Any]:
        """Return what this fault adds to the Situation that is predicted from."""
        return {}

    async def heal(self, scene: Scene) -> Mark:
        """Undo the fault. Healing what is whole is no error."""
        return await scene.lab.path.heal(scene.flow)
