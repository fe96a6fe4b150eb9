"""connect() to an address that swallows SYNs: nobody answers, nobody refuses."""

from harness.faults.base import Fault, Scene
from harness.labs.protocols import Mark
from harness.predict.situation import Effect
from harness.spec.sides import Side
from harness.spec.trial import Traffic


class Connect(Fault):
    name = "connect"
    help = "connect() to an address that swallows SYNs; how long until it gives up?"
    claim = "unanswered"
    survivor = "client"
    traffics = ("connect",)

    def effect(self, traffic: Traffic, survivor: Side) -> Effect:
        return Effect(to_peer="drop", to_survivor="drop", peer="dead")

    async def inject(self, scene: Scene) -> Mark:
        return await scene.lab.path.cut(scene.flow, to_client=True, to_server=True)
