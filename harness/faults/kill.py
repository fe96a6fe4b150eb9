"""Control: kill -9 with the network up. The kernel closes the dead process's socket, with FIN, or with RST where data
was unread, and the survivor knows within a millisecond. This is *not* a half-open connection.
"""

from typing import ClassVar

from harness.faults.base import Fault, Scene
from harness.labs.protocols import Ability, Mark
from harness.predict.situation import Effect
from harness.spec.sides import Side
from harness.spec.trial import Traffic


class _Kill(Fault):
    claim = "closed"
    own_process = True

    def needs(self) -> frozenset[Ability]:
        return frozenset()

    def effect(self, traffic: Traffic, survivor: Side) -> Effect:
        return Effect(peer="rst" if traffic == "blocked" else "fin")

    async def inject(self, scene: Scene) -> Mark:
        killed = await scene.peer.host.kill(scene.peer.endpoint.name)
        return Mark(before=killed["before"], after=killed["after"], where=scene.peer.side, peer="killed")


class KillClient(_Kill):
    name = "kill-client"
    help = "Control: kill -9 of the client with the network up; its kernel says goodbye (not half-open)."
    survivor: ClassVar[Side | None] = "server"


class KillServer(_Kill):
    name = "kill-server"
    help = "Control: kill -9 of the server with the network up; its kernel says goodbye (not half-open)."
    survivor: ClassVar[Side | None] = "client"
