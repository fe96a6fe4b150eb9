"""The router answers the survivor's packets with ICMP unreachable, and forwards nothing: a route that was withdrawn.

Keepalive ignores ICMP (its probes are not data in flight). With data in flight the error is kept and shown when the
connection dies, and each one reverts a step of the back-off (RFC 6069), so only an interval can be predicted.
"""

from harness.faults.base import Fault, Scene
from harness.labs.protocols import Ability, Mark
from harness.predict.situation import Effect
from harness.spec.options import Option
from harness.spec.parse import choice
from harness.spec.sides import Side
from harness.spec.trial import Traffic


class RejectPackets(Fault):
    name = "reject-packets"
    help = "The router answers with ICMP unreachable instead of forwarding; does the survivor listen?"
    options = (
        Option(
            name="icmp",
            help="which unreachable: host, net or admin (administratively prohibited)",
            parse=choice("--icmp", "host", "net", "admin"),
            default="host",
        ),
    )

    def needs(self) -> frozenset[Ability]:
        return frozenset({"reject"})

    def effect(self, traffic: Traffic, survivor: Side) -> Effect:
        return Effect(to_peer="reject", to_survivor="drop", icmp=self.values["icmp"])

    async def inject(self, scene: Scene) -> Mark:
        return await scene.lab.path.reject(scene.flow, self.values["icmp"], toward=scene.peer.side)
