"""The peer's machine loses power: the path is cut first, so that no FIN gets out, and then its process is killed.

kill -9 alone is no half-open connection: the kernel closes the socket of a dead process with FIN, or RST where data was
unread (tcp_close in net/ipv4/tcp.c). The clock starts at the cut: from then on the survivor hears nothing more.
"""

from typing import ClassVar

import msgspec

from harness.faults.base import Fault, Scene
from harness.labs.protocols import Mark
from harness.predict.situation import Effect
from harness.spec.sides import Side
from harness.spec.trial import Traffic


class _Crash(Fault):
    own_process = True

    def effect(self, traffic: Traffic, survivor: Side) -> Effect:
        return Effect(to_peer="drop", to_survivor="drop", peer="dead")

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
