"""A NAT between the two forgets the connection: it was silent for longer than the NAT remembers.

The router masquerades the client and keeps a mapping for ``--nat-timeout`` after each packet (conntrack's
tcp_timeout_established). The clock starts when the mapping has expired. After that the NAT drops what it does not know
("silent"), or answers it with RST ("reset"). What the survivor sends by itself renews the mapping: for ever, if it
always comes in time. Probes need not: the first comes after an idle, those that follow an answer after an interval.
"""

from typing import Any

from harness.faults.base import Fault, Scene
from harness.labs.protocols import Ability, Lab, Mark
from harness.predict.mapping import longest_pause_s
from harness.predict.situation import Effect
from harness.spec.options import Option
from harness.spec.parse import choice, whole_seconds
from harness.spec.settings import Settings
from harness.spec.sides import Side
from harness.spec.trial import Traffic

# From the third probe on the pauses are all alike: the timer wheel's grid has been reached.
_RENEWALS = 3


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

    _left_s = 0.0  # for how long the mapping, renewed, lasts beyond the mark

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
        """Wait until the mapping has expired; where it is held for ever, until it would have expired otherwise."""
        self._due = await scene.last_passed() + self.forgets_after_s
        await scene.until(self._due)
        pause = longest_pause_s(scene.trial.asked.over(Settings()))
        renewals = _RENEWALS if pause is None or pause >= self.forgets_after_s else 0
        expires = await self._expires(scene)
        while expires > self._due and renewals:
            self._due, renewals = expires, renewals - 1
            await scene.until(self._due)
            expires = await self._expires(scene)
        self._left_s = expires - self._due

    async def _expires(self, scene: Scene) -> float:
        return max(self._due, await scene.last_passed() + self.forgets_after_s)

    async def inject(self, scene: Scene) -> Mark:
        due = int(self._due * 1e9)
        # conntrack counts whole jiffies: a tick of 10 ms, the longest there is, is how sure the instant can be.
        return Mark(before=due, after=due if self._left_s else due + 10_000_000, peer="cut off")

    def facts(self, mark: Mark) -> dict[str, Any]:
        return {"mapping_expires_at": mark.before / 1e9 + self._left_s}
