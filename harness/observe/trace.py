"""One connection's packets on the router, and the questions that prove what became of it.

The router stands between the ends, with a device toward each. A segment comes in on one device and, if it was
forwarded, goes out on the other: an arrival with no departure is a *drop*, a departure with no arrival is the router's
own word (a reset, an ICMP error). Instants are CLOCK_MONOTONIC seconds.

Packets are to be fed in the order of their instants, as ``Capture`` hands them over; a packet that is a little late
is still paired with its other half. Only ports tell flows apart: masquerading changes an address and keeps the port.
"""

from collections.abc import Iterator

import msgspec

from harness.observe.packets import Packet
from harness.observe.segments import Half, Role, Segment, after
from harness.spec.sides import Side, other

# A departure read before its arrival may be stamped this little earlier and still be the same segment.
_SLACK_S = 0.001
# How many unpaired segments are looked through for the other half, newest first.
_REACH = 256
# How far back the departure of a late arrival is looked for.
_LATE = 8
_PROBES: tuple[Role, ...] = ("keepalive probe", "window probe")


class FlowKey(msgspec.Struct, frozen=True, gc=False):
    """A connection, by what neither a router nor a masquerade changes."""

    client_port: int
    server_port: int
    ipv: int


class Trace:
    """One flow. ``feed`` is cheap; the questions look through the segments kept.

    ``keep``: how many segments are kept at least; when twice as many are there the older half is let go, and
    ``forgotten`` says how many went. ``segments`` is in the order in which the router first had them.
    """

    __slots__ = ("_client_device", "_halves", "_keep", "_unpaired", "forgotten", "key", "segments")

    def __init__(self, key: FlowKey, client_device: str = "r-client", keep: int = 4096) -> None:
        self.key = key
        self.segments: list[Segment] = []
        self.forgotten = 0
        self._keep = keep
        self._client_device = client_device
        self._halves: dict[Side, Half] = {"client": Half(), "server": Half()}
        self._unpaired: list[Segment] = []

    def feed(self, packet: Packet) -> Segment:
        """Take one packet of this flow; return the segment that it is, new or completed."""
        sender = self._sender(packet)
        if packet.outgoing:
            segment = self._departure(packet, sender)
            self._halves[other(sender)].hears(packet, segment.role)
        else:
            segment = self._arrival(packet, sender)
            segment.arrived_at = packet.at
        return segment

    def to(self, side: Side, after: float, before: float = float("inf")) -> list[Segment]:
        """Return what left the router toward ``side`` within (after, before], TCP and ICMP: empty proves silence."""
        return [s for s in self._of(other(side)) if s.left_at is not None and after < s.left_at <= before]

    def dropped(self, after: float, before: float = float("inf"), sender: Side | None = None) -> list[Segment]:
        """Return what reached the router within (after, before] and never left it.

        A segment stamped within the last millisecond may only be on its way: give ``before``, or ask after the batch.
        """
        return [
            s
            for s in self.segments
            if s.left_at is None
            and s.arrived_at is not None
            and after < s.arrived_at <= before
            and sender in (None, s.sender)
        ]

    def last_heard(self, side: Side, before: float = float("inf")) -> float | None:
        """Return when the last TCP segment left the router toward ``side``, not after ``before``; None: none did.

        An RST does not count: it ends a connection, and a router may have made it.
        """
        heard = [
            s.left_at
            for s in self._of(other(side))
            if s.role not in ("icmp", "rst") and s.left_at is not None and s.left_at <= before
        ]
        return max(heard, default=None)

    def unacknowledged(self, side: Side, at: float) -> list[Segment]:
        """Return the data that ``side`` sent, in order, without what it knew to be acknowledged at an instant."""
        acks = [s.packet.ack for s in self.to(side, float("-inf"), at) if s.role not in ("icmp", "syn")]
        data = self.all("data", side)
        return data if not acks else [s for s in data if after(s.packet.seq + s.packet.payload, acks[-1]) > 0]

    def window_closed_at(self, side: Side) -> float | None:
        """Return since when ``side`` has been told a window of zero; None: as far as it knows, it may send."""
        return self._halves[side].closed_at

    def probes(self, side: Side, after: float, before: float = float("inf")) -> list[Segment]:
        """Return the keepalive and window probes that ``side`` sent within (after, before], forwarded or not."""
        return self.all(_PROBES, side, after, before)

    def first(self, role: Role, sender: Side | None = None, after: float = float("-inf")) -> Segment | None:
        """Return the first segment of that role after an instant, from ``sender`` or from either end."""
        return next((s for s in self.segments if s.role == role and s.at > after and sender in (None, s.sender)), None)

    def last(self, sender: Side, before: float = float("inf")) -> Segment | None:
        """Return the last TCP segment that ``sender`` itself handed to the router, not after ``before``."""
        found = (s for s in reversed(self.segments) if s.sender == sender and s.role != "icmp" and s.at <= before)
        return next((s for s in found if s.arrived_at is not None), None)

    def all(
        self,
        roles: Role | tuple[Role, ...],
        sender: Side | None = None,
        after: float = float("-inf"),
        before: float = float("inf"),
    ) -> list[Segment]:
        """Return every segment of the given role or roles within (after, before]."""
        wanted = (roles,) if isinstance(roles, str) else roles
        return [s for s in self.segments if s.role in wanted and after < s.at <= before and sender in (None, s.sender)]

    def _of(self, sender: Side) -> Iterator[Segment]:
        return (s for s in self.segments if s.sender == sender)

    def _sender(self, packet: Packet) -> Side:
        # Toward the client's device going out, or from the server's coming in: the server's side sent it.
        toward_client = packet.outgoing == (packet.device == self._client_device)
        return "server" if toward_client else "client"

    def _new(self, packet: Packet, sender: Side) -> Segment:
        role: Role
        role, again = ("icmp", False) if packet.icmp else self._halves[sender].says(packet)
        segment = Segment(role=role, sender=sender, packet=packet, again=again)
        self.segments.append(segment)
        if len(self.segments) >= 2 * self._keep:
            self.forgotten += self._keep
            del self.segments[: self._keep]
        return segment

    def _arrival(self, packet: Packet, sender: Side) -> Segment:
        # Its departure may have been read before it; an arrival much like it, long gone, is another segment.
        for segment in reversed(self.segments[-_LATE:]):
            near = segment.arrived_at is None and abs(segment.at - packet.at) <= _SLACK_S
            if near and segment.sender == sender and _carries(packet, segment.packet):
                return segment
        segment = self._new(packet, sender)
        self._unpaired.append(segment)
        if len(self._unpaired) > 2 * _REACH:
            del self._unpaired[:_REACH]
        return segment

    def _departure(self, packet: Packet, sender: Side) -> Segment:
        unpaired = self._unpaired
        for index in range(len(unpaired) - 1, max(-1, len(unpaired) - 1 - _REACH), -1):
            segment = unpaired[index]
            # The newest that fits: of two equal segments the older one was dropped, or is delayed and its turn comes.
            if segment.sender == sender and segment.at <= packet.at + _SLACK_S and _carries(segment.packet, packet):
                segment.left_at = packet.at
                # A large segment may leave in pieces: its last piece, not its first, settles it.
                if _end(segment.packet) == _end(packet):
                    del unpaired[index]
                return segment
        segment = self._new(packet, sender)
        segment.left_at = packet.at
        return segment


def _end(packet: Packet) -> int:
    return packet.seq + packet.payload


def _carries(arrived: Packet, left: Packet) -> bool:
    """Whether ``left`` is ``arrived`` or, where the router's device segmented it (GSO), a piece of it."""
    if left.icmp or arrived.icmp:
        return (arrived.icmp, arrived.icmp_seq, arrived.mtu) == (left.icmp, left.icmp_seq, left.mtu)
    if arrived.ack != left.ack:
        return False
    if arrived.seq == left.seq and arrived.payload == left.payload:
        return arrived.flags == left.flags
    begins = (left.seq - arrived.seq) & 0xFFFF_FFFF
    return 0 < left.payload < arrived.payload and begins + left.payload <= arrived.payload


def key_of(packet: Packet, client_device: str = "r-client") -> FlowKey:
    """Return the flow that a packet belongs to. Which port is the client's is told by the device."""
    from_client = packet.outgoing != (packet.device == client_device)
    if packet.icmp:
        # The error goes to whom the quoted segment came from, so the quoted ports stand the other way round.
        client, server = (
            (packet.icmp_dport, packet.icmp_sport) if from_client else (packet.icmp_sport, packet.icmp_dport)
        )
    else:
        client, server = (packet.sport, packet.dport) if from_client else (packet.dport, packet.sport)
    return FlowKey(client, server, packet.ipv)
