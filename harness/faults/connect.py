"""connect() to an address that swallows SYNs: nobody answers, nobody refuses."""

from harness.faults.base import Fault, Scene
from harness.labs.protocols import Ability, Mark
from harness.predict.situation import Effect
from harness.spec.options import Option
from harness.spec.parse import choice
from harness.spec.sides import Side
from harness.spec.trial import Traffic


class Connect(Fault):
    name = "connect"
    help = "connect() to an address that swallows SYNs; how long until it gives up?"
    claim = "unanswered"
    survivor = "client"
    traffics = ("connect",)
    options = (
        Option(
            name="icmp",
            help="what the router answers to a SYN: none, or ICMP unreachable of kind host, net or admin",
            parse=choice("--icmp", "none", "host", "net", "admin"),
            default="none",
        ),
    )

    def needs(self) -> frozenset[Ability]:
        return frozenset({"cut" if self.values["icmp"] == "none" else "reject"})

    def effect(self, traffic: Traffic, survivor: Side) -> Effect:
        if self.values["icmp"] == "none":
            return Effect(to_peer="drop", to_survivor="drop", peer="dead")
        return Effect(to_peer="reject", to_survivor="drop", icmp=self.values["icmp"])

    async def inject(self, scene: Scene) -> Mark:
        if self.values["icmp"] != "none":
            return await scene.lab.path.reject(scene.flow, self.values["icmp"], toward=scene.peer.side)
        return await scene.lab.path.cut(scene.flow, to_client=True, to_server=True)
