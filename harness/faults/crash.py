"""The peer's machine loses power: the path is cut first, so that no FIN gets out, and then its process is killed.

kill -9 alone is no half-open connection: the kernel closes the socket of a dead process with FIN, or RST where data was
unread (tcp_close in net/ipv4/tcp.c). The clock starts at the cut: from then on the survivor hears nothing more.
"""

from typing import ClassVar, Literal

import msgspec

from harness.faults.base import Claim, Fault, Scene
from harness.labs.protocols import Mark
from harness.predict.situation import Effect
from harness.spec.options import Option
from harness.spec.parse import duration
from harness.spec.sides import Side
from harness.spec.trial import Traffic

# With tcp_orphan_retries = 1, as the lab has it, a dead process's FIN is sent again until about then (kernel-measured).
_FIN_RETRIED_S = 0.8


class _Crash(Fault):
    own_process = True
    options = (
        Option(
            name="heal-after",
            help="the network alone comes back after so long: the dead process's kernel may still be sending its FIN",
            parse=duration("--heal-after", 0.01, 86_400),
            default=None,
        ),
    )

    def effect(self, traffic: Traffic, survivor: Side) -> Effect:
        healed = self.values["heal-after"]
        if healed is None:
            return Effect(to_peer="drop", to_survivor="drop", peer="dead")
        # Unread data makes the dying kernel send RST instead, once; after that the peer knows nothing.
        goodbye: Literal["fin", "rst"] = "rst" if traffic in ("blocked", "stream") else "fin"
        peer = goodbye if healed < _FIN_RETRIED_S else "gone"
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
