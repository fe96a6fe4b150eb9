"""The link goes down and comes back: did the connection survive, or was a mistake made, and how late did data flow?

A connection survives only if the network is back before the last probe leaves, so an outage shorter than the detection
time can still kill it, up to one interval after everything is well again.
"""

from harness.faults.base import Fault, Scene
from harness.labs.protocols import Mark
from harness.predict.situation import Effect
from harness.spec.options import Option
from harness.spec.parse import duration
from harness.spec.sides import Side
from harness.spec.trial import Traffic


class FlapLink(Fault):
    name = "flap-link"
    help = "The link is down for a while and comes back; is the connection still there, and how late does data flow?"
    claim = "outage"
    options = (
        Option(
            name="down",
            help="how long the link is down: 20, 500ms, 2m",
            parse=duration("--down", 0.01, 86_400),
            default=20.0,
        ),
    )

    @property
    def heals_after_s(self) -> float:
        """How long after it came into force the fault heals by itself."""
        down: float = self.values["down"]
        return down

    def effect(self, traffic: Traffic, survivor: Side) -> Effect:
        return Effect(to_peer="drop", to_survivor="drop", heals_after_s=self.values["down"])

    async def inject(self, scene: Scene) -> Mark:
        return await scene.lab.path.cut(scene.flow, to_client=True, to_server=True)
