"""The peer's machine loses power: the path is cut first, so that no FIN gets out, and then its process is killed.

kill -9 alone is no half-open connection: the kernel closes the socket of a dead process with FIN, or RST where data was
unread (tcp_close in net/ipv4/tcp.c). The clock starts at the cut: from then on the survivor hears nothing more.
"""

from typing import ClassVar, Literal

import msgspec

from harness.errors import Refused
from harness.faults.base import Claim, Fault, Scene
from harness.labs.protocols import Ability, Mark
from harness.predict.situation import Effect
from harness.spec.options import Option
from harness.spec.parse import duration
from harness.spec.sides import Side
from harness.spec.trial import Traffic

# With tcp_orphan_retries = 1, as the lab has it, a dead process's kernel sends its FIN for the last time 0.85 s after
# the kill and forgets the connection 1.7 to 1.9 s after it (measured). Between the two it neither speaks nor is silent.
_FIN_STILL_COMES_S = 0.7
_FORGOTTEN_S = 2.0


def _heal_after(text: str) -> float:
    seconds = duration("--heal-after", 0.01, 86_400)(text)
    if _FIN_STILL_COMES_S < seconds < _FORGOTTEN_S:
        raise Refused(
            f"--heal-after: {text!r} is refused; up to 700ms (the dead kernel's FIN still comes) or from 2s on (it has"
            " forgotten the connection) is allowed"
        )
    return seconds


class _Crash(Fault):
    own_process = True
    options = (
        Option(
            name="heal-after",
            help="the network alone comes back after so long: the dead process's kernel may still be sending its FIN",
            parse=_heal_after,
            default=None,
        ),
    )

    def needs(self) -> frozenset[Ability]:
        return frozenset({"cut"} if self.values["heal-after"] is None else {"cut", "short-orphans"})

    def effect(self, traffic: Traffic, survivor: Side) -> Effect:
        healed = self.values["heal-after"]
        if healed is None:
            return Effect(to_peer="drop", to_survivor="drop", peer="dead")
        # Unread data makes the dying kernel send RST instead, once; after that the peer knows nothing.
        goodbye: Literal["fin", "rst"] = "rst" if traffic in ("blocked", "stream") else "fin"
        peer = goodbye if healed <= _FIN_STILL_COMES_S else "gone"
        return Effect(to_peer="drop", to_survivor="drop", peer=peer, heals_after_s=healed)

    def claim_for(self, survivor: Side) -> Claim:
        return "half-open" if self.values["heal-after"] is None else "outage"

    async def inject(self, scene: Scene) -> Mark:
        mark = await scene.lab.path.cut(scene.flow, to_client=True, to_server=True)
        await scene.peer.host.kill(scene.peer.endpoint.name)
        return msgspec.structs.replace(mark, peer="killed")


class CrashClient(_Crash):
    name = "crash-client"
    help = "The client's machine vanishes without a word; how long until the server notices?"
    survivor: ClassVar[Side | None] = "server"


class CrashServer(_Crash):
    name = "crash-server"
    help = "The server's machine vanishes without a word; how long until the client notices?"
    survivor: ClassVar[Side | None] = "client"
