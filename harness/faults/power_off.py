"""The peer's whole machine loses its power: no FIN, no process, no kernel left. For machines reached over SSH.

The user says how (a hypervisor's command, a socket that can be switched): the power went while that command ran, and
that bracket is the uncertainty of the instant. Where the user also says how to start it, it is started afterwards.
"""

from typing import ClassVar

from harness.faults.base import Fault, Scene
from harness.labs.protocols import Ability, Mark
from harness.predict.situation import Effect
from harness.spec.sides import Side
from harness.spec.trial import Traffic


class _PowerOff(Fault):
    def needs(self) -> frozenset[Ability]:
        return frozenset({"power"})

    def effect(self, traffic: Traffic, survivor: Side) -> Effect:
        return Effect(to_peer="drop", to_survivor="drop", peer="dead")

    async def inject(self, scene: Scene) -> Mark:
        return await scene.peer.host.power_off()

    async def heal(self, scene: Scene) -> Mark:
        healed = await scene.lab.path.heal(scene.flow)
        await scene.peer.host.power_on()
        return healed


class PowerOffClient(_PowerOff):
    name = "power-off-client"
    help = "The client's machine loses its power (with --hosts, by your command); how long until the server notices?"
    survivor: ClassVar[Side | None] = "server"


class PowerOffServer(_PowerOff):
    name = "power-off-server"
    help = "The server's machine loses its power (with --hosts, by your command); how long until the client notices?"
    survivor: ClassVar[Side | None] = "client"
