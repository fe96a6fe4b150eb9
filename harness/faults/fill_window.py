"""The peer stops reading and the survivor writes until the peer's window is closed: zero window, with the peer alive.
The clock starts when the closed window has reached the survivor.

The survivor's kernel probes the window for ever, and each answer is proof of life; but TCP_USER_TIMEOUT counts the time
in which nothing was *accepted*, so it kills connections to slow readers (RFC 5482; tcp_probe_timer).
"""

from harness.faults.base import Fault, Scene
from harness.labs.protocols import Ability, Mark
from harness.predict.situation import Effect
from harness.spec.sides import Side
from harness.spec.trial import Traffic


class FillWindow(Fault):
    name = "fill-window"
    help = "The peer is alive but reads nothing, until its window is closed; is it declared dead?"
    claim = "healthy"
    closes_window = True
    traffics = ("idle",)

    def needs(self) -> frozenset[Ability]:
        return frozenset()

    def effect(self, traffic: Traffic, survivor: Side) -> Effect:
        return Effect(peer="full")

    async def inject(self, scene: Scene) -> Mark:
        await scene.peer.ask("pause")
        await scene.survivor.ask("small_send_buffer")
        await scene.survivor.ask("fill")
        closed = int(await scene.window_closed() * 1e9)
        return Mark(before=closed, after=closed, where=scene.peer.side, peer="deaf")

    async def heal(self, scene: Scene) -> Mark:
        resumed = await scene.peer.ask("resume")
        return Mark(before=resumed["at"], after=resumed["at"], where=scene.peer.side)
