"""What comes back to the survivor when it sends something: before the fault, during it, and after it is healed.

Facts: RFC 9293 3.5.2 (a host without the connection answers RST), RFC 1122 4.2.3.9 (ICMP errors), and the meaning of
``Effect``. Ticks are whole ticks of CLOCK_MONOTONIC.
"""

from typing import Literal

import msgspec

from harness.predict.situation import Effect, Situation
from harness.predict.wheel import Moment, Wheel

Reply = Literal["ack", "rst", "icmp", "silence", "chance"]
# Where a packet is lost before it leaves its host (Effect.place), and the sender's kernel knows.
NEVER_OUT = ("own-queue", "own-filter", "own-link")


def reply_during(effect: Effect, *, full: bool) -> Reply:
    """What answers a packet sent while the fault is in force; ``full``: it is a full-sized segment."""
    if effect.to_peer == "reset":
        return "rst"
    if effect.to_peer == "reject":
        return "icmp"
    if effect.to_peer == "drop" or (effect.to_peer == "big-drop" and full) or effect.peer == "dead":
        return "silence"
    lossy = "lossy" in (effect.to_peer, effect.to_survivor)
    if effect.to_survivor == "drop" or (lossy and effect.loss >= 1):
        return "silence"
    if lossy and effect.loss > 0:
        return "chance"
    return reply_after(effect)


def reply_after(effect: Effect) -> Reply:
    """What answers a packet once the network is whole again: that depends on the peer alone."""
    if effect.peer == "dead":
        return "silence"
    return "rst" if effect.peer in ("gone", "rst", "fin") else "ack"


class Path(msgspec.Struct, frozen=True):
    """``fault``: the first tick at which the fault shows. ``heal``: the first at which it does not, None for never.

    ``mapped``: the fault is a NAT's mapping that expires unless a packet passes before. ``struck``: the first tick
    after the instant from which detection is timed, which is another if the mapping still lasts then.
    """

    fault: int
    heal: int | None
    during: Reply
    after: Reply
    mapped: bool = False
    struck: int = 0

    def parts(self, sent: Moment) -> list[tuple[Moment, Reply]]:
        """Split the moment at which a packet leaves by the reply it gets."""
        found: list[tuple[Moment, Reply]] = []
        if (early := sent.before(self.fault)) is not None:
            found.append((early, "ack"))
        rest = sent.from_(self.fault)
        if rest is None:
            return found
        if self.heal is None:
            return [*found, (rest, self.during)]
        if (within := rest.before(self.heal)) is not None:
            found.append((within, self.during))
        if (late := rest.from_(self.heal)) is not None:
            found.append((late, self.after))
        return found


def path_of(situation: Situation, wheel: Wheel, *, full: bool = False) -> Path:
    """The path as packets of this connection meet it."""
    starts = situation.fault_at
    if situation.mapping_expires_at is not None:
        starts = situation.mapping_expires_at
    heals = situation.effect.heals_after_s
    heal = None if heals is None else wheel.tick_from(situation.fault_at + max(heals, 0.0))
    fault = wheel.tick_from(starts)
    during, after = reply_during(situation.effect, full=full), reply_after(situation.effect)
    if during == after:
        heal = None  # healing makes no difference
    return Path(
        fault=fault if heal is None else min(fault, heal),
        heal=heal,
        during=during,
        after=after,
        mapped=situation.mapping_expires_at is not None,
        struck=wheel.tick_from(situation.fault_at),
    )
