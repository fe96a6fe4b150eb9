"""A NAT between the two forgets the connection: it was silent for longer than the NAT remembers.

The router masquerades the client and keeps a mapping for ``--nat-timeout`` after each packet (conntrack's
tcp_timeout_established). The clock starts when the mapping has expired. After that the NAT drops what it does not know
("silent"), or answers it with RST ("reset"). A keepalive shorter than the timeout renews the mapping for ever.
"""

from typing import Any

from harness.faults.base import Fault, Scene
from harness.labs.protocols import Ability, Lab, Mark
from harness.predict.situation import Effect
from harness.spec.options import Option
from harness.spec.parse import choice, whole_seconds
from harness.spec.sides import Side
from harness.spec.trial import Traffic


class ExpireNat(Fault):
    name = "expire-nat"
    help = "A NAT on the path forgets the silent connection; does keepalive hold the mapping, or who notices?"
    claim = "forgotten"
    traffics = ("idle", "write", "request")
    options = (
        Option(
            name="nat-timeout",
            help="how long the NAT remembers a silent connection, whole seconds: 350, 4m",
            parse=whole_seconds("--nat-timeout", 1, 432_000),
            default=350,
        ),
        Option(
            name="on-expiry",
            help="what the NAT does with packets that it no longer knows: silent (drop) or reset (RST)",
            parse=choice("--on-expiry", "silent", "reset"),
            default="silent",
        ),
    )

    @property
    def forgets_after_s(self) -> int:
        """How long after the last packet the mapping expires."""
        timeout: int = self.values["nat-timeout"]
        return timeout

    def needs(self) -> frozenset[Ability]:
        return frozenset({"nat"})

    def effect(self, traffic: Traffic, survivor: Side) -> Effect:
        if self.values["on-expiry"] == "reset":
            return Effect(to_peer="reset", to_survivor="drop")
        return Effect(to_peer="drop", to_survivor="drop")

    async def prepare(self, lab: Lab) -> None:
        await lab.path.masquerade(self.forgets_after_s, self.values["on-expiry"])

    async def await_moment(self, scene: Scene) -> None:
        """Wait until the mapping has expired; where probes renew it, until it would have expired without them."""
        self._due = await scene.last_passed() + self.forgets_after_s
        await scene.until(self._due)

    async def inject(self, scene: Scene) -> Mark:
        due = self._due
        # conntrack counts whole jiffies: a tick of 10 ms, the longest there is, is how sure the instant can be.
        return Mark(before=int(due * 1e9), after=int(due * 1e9) + 10_000_000, peer="cut off")

    def facts(self, mark: Mark) -> dict[str, Any]:
        return {"mapping_expires_at": mark.before / 1e9}
