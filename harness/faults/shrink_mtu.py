"""The path's MTU shrinks and the ICMP error that would say so is lost: full segments vanish, small ones pass.

A PMTU black hole (RFC 2923): keepalive probes are answered for ever, heartbeats are too, and bulk data dies.
"""

from harness.faults.base import Fault, Scene
from harness.labs.protocols import Ability, Mark
from harness.predict.situation import Effect
from harness.spec.options import Option
from harness.spec.parse import whole
from harness.spec.sides import Side
from harness.spec.trial import Traffic


class ShrinkMtu(Fault):
    name = "shrink-mtu"
    help = "Large packets vanish and small ones pass (a PMTU black hole); which detector is fooled?"
    claim = "lossy"
    traffics = ("write", "stream", "idle", "request", "listen")
    options = (
        Option(
            name="mtu",
            help="bytes that still pass, 1280 (IPv6's least) to 1400",
            parse=whole("--mtu", 1280, 1400),
            default=1280,
        ),
    )

    def needs(self) -> frozenset[Ability]:
        return frozenset({"mtu"})

    def effect(self, traffic: Traffic, survivor: Side) -> Effect:
        return Effect(to_peer="big-drop")

    async def inject(self, scene: Scene) -> Mark:
        return await scene.lab.path.shrink_mtu(scene.flow, scene.peer.side, self.values["mtu"])
