"""Control: nothing happens. Whatever fires on this connection is a mistake of the settings."""

from harness.faults.base import Fault, Scene
from harness.labs.protocols import Ability, Mark
from harness.predict.situation import Effect
from harness.spec.sides import Side
from harness.spec.trial import Traffic


class NoFault(Fault):
    name = "no-fault"
    help = "Control: nothing happens; do these settings leave a healthy connection alone?"
    claim = "healthy"

    def needs(self) -> frozenset[Ability]:
        return frozenset()

    def effect(self, traffic: Traffic, survivor: Side) -> Effect:
        return Effect(peer="full" if traffic == "blocked" else "serves")

    async def inject(self, scene: Scene) -> Mark:
        now = await scene.survivor.ask("instant")
        return Mark(before=now["before"], after=now["after"], where="nowhere", peer="serving")
