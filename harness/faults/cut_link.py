"""The link is cut, in both directions or in one; both programs live on. Packets vanish in the router, without ICMP."""

from typing import Any

from harness.errors import Refused
from harness.faults.base import Claim, Fault, Scene
from harness.labs.protocols import Ability, Mark
from harness.predict.situation import Effect
from harness.spec.options import Option
from harness.spec.parse import choice
from harness.spec.sides import Side
from harness.spec.trial import Traffic


class CutLink(Fault):
    name = "cut-link"
    help = "The link between two healthy programs goes dead, in both directions or in one; who notices, and when?"
    options = (
        Option(
            name="direction",
            help="packets of which direction vanish: both, to-client or to-server",
            parse=choice("--direction", "both", "to-client", "to-server"),
            default="both",
        ),
        Option(
            name="where",
            help="where packets are lost: router, own-queue, own-filter, own-link, far-link or next-hop",
            parse=choice("--where", "router", "own-queue", "own-filter", "own-link", "far-link", "next-hop"),
            default="router",
        ),
    )

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        if self.values["where"] != "router" and self.values["direction"] != "both":
            raise Refused("--direction: only a cut in the router has one; leave it out, or leave out --where")

    def needs(self) -> frozenset[Ability]:
        return frozenset({"cut" if self.values["where"] == "router" else "places"})

    def effect(self, traffic: Traffic, survivor: Side) -> Effect:
        toward = {"both": ("client", "server"), "to-client": ("client",), "to-server": ("server",)}[
            self.values["direction"]
        ]
        where = self.values["where"]
        if where == "far-link":
            # The router has no route to the peer any more, and says so.
            return Effect(to_peer="reject", to_survivor="drop", icmp="net", place=where)
        if where in ("own-queue", "own-filter"):
            # They stand in the survivor's way out only.
            return Effect(to_peer="drop", place=where)
        return Effect(
            place="path" if where == "router" else where,
            to_survivor="drop" if survivor in toward else "pass",
            to_peer="drop" if len(toward) == 2 or survivor not in toward else "pass",
        )

    def claim_for(self, survivor: Side) -> Claim:
        return "half-open" if self.effect("idle", survivor).to_survivor == "drop" else "one-way"

    async def inject(self, scene: Scene) -> Mark:
        direction, where = self.values["direction"], self.values["where"]
        if where != "router":
            return await scene.lab.path.place(scene.flow, where, scene.survivor.side)
        return await scene.lab.path.cut(
            scene.flow, to_client=direction != "to-server", to_server=direction != "to-client"
        )
