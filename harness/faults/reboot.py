"""The peer's machine restarts between two packets: it is back, and knows nothing of the connection.

Its socket is closed under TCP_REPAIR, which takes it away without FIN or RST: the state after a reboot (RFC 9293
3.5.1). The network is whole, so whatever the survivor sends next, probe or data, is answered with RST.
"""

from typing import ClassVar

from harness.faults.base import Fault, Scene
from harness.labs.protocols import Ability, Mark
from harness.predict.situation import Effect
from harness.spec.sides import Side
from harness.spec.trial import Traffic


class _Reboot(Fault):
    claim = "vanished"

    def needs(self) -> frozenset[Ability]:
        return frozenset()

    def effect(self, traffic: Traffic, survivor: Side) -> Effect:
        return Effect(peer="gone")

    async def inject(self, scene: Scene) -> Mark:
        closed = await scene.peer.ask("close", how="vanish")
        return Mark(before=closed["before"], after=closed["after"], where=scene.peer.side, peer="vanished")


class RebootClient(_Reboot):
    name = "reboot-client"
    help = "The client's machine comes back without the connection; what draws its RST, and when?"
    survivor: ClassVar[Side | None] = "server"


class RebootServer(_Reboot):
    name = "reboot-server"
    help = "The server's machine comes back without the connection; what draws its RST, and when?"
    survivor: ClassVar[Side | None] = "client"
