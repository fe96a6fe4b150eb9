"""The packets between machines, from taps on their own devices, told as a router between them would have seen them.

What a host sends reaches the router from that host's side; what a host receives has left the router toward it. Taps on
a router itself are passed on as they are. Frames of several hosts arrive in any order: they are held for a moment, or
until everybody was asked for all there is, and handed over in the order of the lab's clock.
"""

import asyncio
import base64
from collections.abc import Callable
from typing import Any, NamedTuple

from harness.labs.protocols import Flow
from harness.observe.packets import Packet, decode
from harness.observe.pcap import PcapWriter
from harness.observe.trace import FlowKey, key_of

# A frame is older than this when it is handed over unasked; longer than channels and event loops are usually late.
_HELD_S = 0.1
DEVICES = {"client": "r-client", "server": "r-server"}


class Frame(NamedTuple):
    """``at``: lab's clock, ns. ``device`` and ``outgoing``: as on the router between the hosts."""

    at: int
    device: str
    outgoing: bool
    length: int
    data: bytes


class Packets:
    """Takes the taps' events in, hands packets over. ``lost``: how many frames there was no room for.

    ``tell``: an instant of a host's clock in the lab's. ``unheard``: whether a flow's packet that arrived at a host at
    an instant (ns) was lost there after the tap had seen it.
    """

    def __init__(
        self,
        tell: Callable[[str, int], int],
        unheard: Callable[[str, FlowKey, int], bool],
        keep: PcapWriter | None = None,
    ) -> None:
        self._tell, self._unheard, self._keep = tell, unheard, keep
        self._held: list[Frame] = []
        self._listeners: dict[FlowKey, Callable[[Packet], None]] = {}
        self._lost: dict[str, int] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()

    @property
    def lost(self) -> int:
        return sum(self._lost.values())

    def listen(self, flow: Flow, call: Callable[[Packet], None] | None) -> None:
        key = FlowKey(flow.client_port, flow.server_port, flow.ipv)
        if call is None:
            self._listeners.pop(key, None)
        else:
            self._listeners[key] = call

    def take(self, host: str, event: dict[str, Any]) -> None:
        """Take in an agent's event ``frames``."""
        self._lost[host] = event.get("lost", 0)
        for label, outgoing, at, length, data in event["frames"]:
            device = DEVICES.get(label, label)
            # On the host itself: what goes out there comes in at the router.
            facing = not outgoing if label in DEVICES else outgoing
            self._held.append(Frame(self._tell(host, at), device, facing, length, base64.b64decode(data)))
        if self._held and self._timer is None:
            self._timer = self._loop.call_later(_HELD_S, self.hand_over)

    def hand_over(self) -> None:
        """Hand over everything that is held, oldest first."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        frames, self._held = sorted(self._held), []
        for frame in frames:
            if self._keep is not None:
                self._keep.packet(frame.data, frame.at, frame.device, frame.outgoing, frame.length)
            packet = decode(frame.data, frame.at / 1e9, frame.device, frame.outgoing)
            if packet is not None:
                self._pass_on(packet, frame)
        if self._keep is not None and frames:
            self._keep.flush()

    def _pass_on(self, packet: Packet, frame: Frame) -> None:
        key = key_of(packet)
        listener = self._listeners.get(key)
        if listener is None or (frame.outgoing and self._unheard(frame.device, key, frame.at)):
            return
        listener(packet)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._keep is not None:
            self._keep.close()
