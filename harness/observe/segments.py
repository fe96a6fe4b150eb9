"""One direction of a TCP connection, seen from the router: what role each segment plays, given those before it.

Roles follow RFC 9293: 3.8.4 (a keepalive probe repeats the octet before SND.NXT, with no data or one octet of it),
3.8.6.1 (zero-window probes). Linux's probe of either kind is an empty ACK at SND.UNA - 1 (net/ipv4/tcp_output.c,
tcp_xmit_probe_skb): the same segment, told apart by the window that its sender was last offered.
Sequence numbers are compared modulo 2^32 (RFC 9293 3.4).
"""

from typing import Literal

import msgspec

from harness.observe.packets import Packet
from harness.spec.sides import Side

Role = Literal[
    "syn",
    "syn-ack",
    "ack",
    "data",
    "retransmission",
    "keepalive probe",
    "keepalive answer",
    "window probe",
    "window answer",
    "fin",
    "rst",
    "icmp",
]


def after(a: int, b: int) -> int:
    """Return how far sequence number ``a`` lies after ``b`` (negative: before), modulo 2^32."""
    return ((a - b + 0x8000_0000) & 0xFFFF_FFFF) - 0x8000_0000


class Segment(msgspec.Struct, gc=False, kw_only=True):
    """One segment's passage through the router. Instants are CLOCK_MONOTONIC seconds.

    ``sender``: the end it comes from; for what the router says itself (``arrived_at`` None), the end it speaks for.
    ``left_at`` None: it came in and never went out, so the router dropped it. ``again``: its sequence numbers had been
    seen before (a retransmitted SYN or FIN keeps its role; data then has the role "retransmission").
    A large segment that its sender's kernel handed over whole (GSO) is one segment here, also if it leaves in pieces.
    """

    role: Role
    sender: Side
    packet: Packet
    arrived_at: float | None = None
    left_at: float | None = None
    again: bool = False

    @property
    def at(self) -> float:
        """When the router first had it."""
        return self.packet.at

    @property
    def dropped(self) -> bool:
        return self.left_at is None


class Half:
    """What one end has said and what it has been told, as far as the router knows. Cheap: six values."""

    __slots__ = ("closed_at", "isn", "owes", "snd_nxt", "told_ack", "told_window")

    def __init__(self) -> None:
        self.isn: int | None = None
        self.snd_nxt: int | None = None
        # What was delivered to this end: the highest acknowledgment and the last window.
        self.told_ack: int | None = None
        self.told_window = 1
        # Since when this end knows that it may send nothing more (zero window).
        self.closed_at: float | None = None
        # The answer that a probe delivered to this end asks for.
        self.owes: Role | None = None

    def says(self, packet: Packet) -> tuple[Role, bool]:
        """Return the role of a segment that this end sent, and whether its sequence numbers are old; remember it."""
        flags = packet.flags
        if "R" in flags:
            return "rst", False
        if "S" in flags:
            return self._syn(packet)
        role, again = self._role(packet)
        length = packet.payload + ("F" in flags)
        end = (packet.seq + length) & 0xFFFF_FFFF
        probe = role in ("keepalive probe", "window probe")
        if not probe and (self.snd_nxt is None or after(end, self.snd_nxt) > 0):
            self.snd_nxt = end
        return role, again

    def hears(self, packet: Packet, role: Role) -> None:
        """Note what was delivered to this end."""
        if role == "rst":
            return
        if role == "keepalive probe":
            self.owes = "keepalive answer"
        elif role == "window probe":
            self.owes = "window answer"
        if "A" in packet.flags or packet.flags == ".":
            self.told_window = packet.window
            if packet.window:
                self.closed_at = None
            elif self.closed_at is None:
                self.closed_at = packet.at
            if self.told_ack is None or after(packet.ack, self.told_ack) > 0:
                self.told_ack = packet.ack
            if self.snd_nxt is None:
                self.snd_nxt = packet.ack

    def _syn(self, packet: Packet) -> tuple[Role, bool]:
        role: Role = "syn-ack" if "A" in packet.flags else "syn"
        again = self.isn == packet.seq
        if not again:
            # A first SYN, or the same ports used anew: what was known is about another connection.
            self.isn = packet.seq
            self.snd_nxt = (packet.seq + 1 + packet.payload) & 0xFFFF_FFFF
            self.told_ack, self.told_window, self.closed_at, self.owes = None, 1, None, None
        return role, again

    def _role(self, packet: Packet) -> tuple[Role, bool]:
        ahead = 0 if self.snd_nxt is None else after(packet.seq, self.snd_nxt)
        if "F" in packet.flags:
            return "fin", ahead < 0
        if packet.payload == 0:
            if ahead == -1:
                return ("window probe" if self.told_window == 0 else "keepalive probe"), True
            owed, self.owes = self.owes, None
            return owed or "ack", False
        self.owes = None
        if packet.payload == 1 and ahead == -1 and self.told_ack == self.snd_nxt:
            # Everything was acknowledged, so nothing needs retransmission: this is a probe with its one octet.
            return "keepalive probe", True
        if packet.payload == 1 and ahead == 0 and self.told_window == 0:
            return "window probe", False
        return ("retransmission", True) if ahead < 0 else ("data", False)
