"""The peer's program hangs (SIGSTOP) while its kernel goes on acknowledging: keepalive and user timeout see health.

Only what needs an answer from the program itself can tell: a read deadline or an application's heartbeat.
"""

from typing import ClassVar

from harness.faults.base import Fault, Scene
from harness.labs.protocols import Ability, Mark
from harness.predict.situation import Effect
from harness.spec.sides import Side
from harness.spec.trial import Traffic


class _Freeze(Fault):
    claim = "hung"
    own_process = True

    def needs(self) -> frozenset[Ability]:
        return frozenset()

    def effect(self, traffic: Traffic, survivor: Side) -> Effect:
        return Effect(peer="hung")

    async def inject(self, scene: Scene) -> Mark:
        stopped = await scene.peer.host.stop(scene.peer.endpoint.name)
        return Mark(before=stopped["before"], after=stopped["after"], where=scene.peer.side, peer="stopped")

    async def heal(self, scene: Scene) -> Mark:
        resumed = await scene.peer.host.resume(scene.peer.endpoint.name)
        return Mark(before=resumed["before"], after=resumed["after"], where=scene.peer.side)


class FreezeClient(_Freeze):
    name = "freeze-client"
    help = "The client's program hangs, its kernel does not; what can the server notice?"
    survivor: ClassVar[Side | None] = "server"


class FreezeServer(_Freeze):
    name = "freeze-server"
    help = "The server's program hangs, its kernel does not; what can the client notice?"
    survivor: ClassVar[Side | None] = "client"
