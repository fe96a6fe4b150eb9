"""Some packets vanish in the router, at random and in both directions: when does loss look like death?"""

from harness.faults.base import Fault, Scene
from harness.labs.protocols import Ability, Mark
from harness.predict.situation import Effect
from harness.spec.options import Option
from harness.spec.parse import percentage
from harness.spec.sides import Side
from harness.spec.trial import Traffic


class DropPackets(Fault):
    name = "drop-packets"
    help = "A share of all packets vanishes at random; is a living connection declared dead?"
    claim = "lossy"
    options = (
        Option(
            name="percent",
            help="share of packets that vanish in each direction, more than 0 and at most 100",
            parse=percentage("--percent"),
            default=50.0,
        ),
    )

    def needs(self) -> frozenset[Ability]:
        return frozenset({"lossy"})

    def effect(self, traffic: Traffic, survivor: Side) -> Effect:
        if self.values["percent"] == 100:
            return Effect(to_peer="drop", to_survivor="drop")
        return Effect(to_peer="lossy", to_survivor="lossy", loss=self.values["percent"] / 100)

    async def inject(self, scene: Scene) -> Mark:
        return await scene.lab.path.lossy(scene.flow, self.values["percent"])
