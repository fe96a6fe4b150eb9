"""Sockets held against packets: which states the packets on the router allow at each moment, and which were seen.

RFC 9293 3.3.2 (the state diagram) and 3.6 (closing). Linux's own additions: an orphan in FIN_WAIT2 goes after
tcp_fin_timeout (tcp(7)), one whose FIN stays unacknowledged after tcp_orphan_retries (net/ipv4/tcp_timer.c), TIME_WAIT
after 60 s (include/net/tcp.h, TCP_TIMEWAIT_LEN): there a socket goes without a packet.
"""

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from harness.endings.record import CLOSED, Act, Look, Passed
from harness.observe.segments import after
from harness.spec.sides import SIDES, Side, other

# A packet is stamped on the router, its sender's or receiver's state changes a little before or after, and this
# program may lose its processor between the two.
SLACK_S = 0.005
TIMEWAIT_S = 60.0
_GRAIN = 0.99  # a clock of jiffies against one of nanoseconds

Kind = Literal["sent", "got"]


class Moment(NamedTuple):
    """From ``at_s`` on the packets say that the socket is in ``state``."""

    at_s: float
    state: str


def course(side: Side, packets: Sequence[Passed]) -> list[Moment]:
    """Return the states of ``side`` that the packets amount to, from ESTABLISHED on."""
    moments = [Moment(float("-inf"), "ESTABLISHED")]
    fin_end: int | None = None
    acked = got = got_first = False
    for at_s, kind, packet in _of(side, packets):
        if packet.role == "rst":
            moments.append(Moment(at_s, CLOSED))
            return moments
        if packet.role == "fin" and kind == "sent" and fin_end is None:
            fin_end, got_first = (packet.seq + packet.payload + 1) & 0xFFFF_FFFF, got
        elif packet.role == "fin" and kind == "got":
            got = True
        if kind == "got" and fin_end is not None and after(packet.ack, fin_end) >= 0:
            acked = True
        state = _state(fin_end is not None, acked, got, got_first)
        if state != moments[-1].state:
            moments.append(Moment(at_s, state))
        if state == CLOSED:
            break
    return moments


def _of(side: Side, packets: Sequence[Passed]) -> list[tuple[float, Kind, Passed]]:
    """The packets that ``side`` sent or got, in the order in which it did."""
    found: list[tuple[float, Kind, Passed]] = []
    for packet in packets:
        if packet.sender == side:
            found.append((packet.at_s, "sent", packet))
        elif packet.left_s is not None:
            found.append((packet.left_s, "got", packet))
    return sorted(found, key=lambda each: each[0])


def _state(sent: bool, acked: bool, got: bool, got_first: bool) -> str:
    if sent and got and got_first:
        return CLOSED if acked else "LAST_ACK"
    if sent and got:
        return "TIME_WAIT" if acked else "CLOSING"
    if sent:
        return "FIN_WAIT2" if acked else "FIN_WAIT1"
    return "CLOSE_WAIT" if got else "ESTABLISHED"


def disagreements(
    looks: Iterable[Look], packets: Sequence[Passed], acts: Sequence[Act], fin_timeout_s: float
) -> list[str]:
    """Return every way in which states, packets and what the programs saw contradict each other."""
    found = []
    for side in SIDES:
        moments = course(side, packets)
        own = [look for look in looks if look.side == side]
        for look in own:
            allowed = _allowed(moments, look)
            if look.state in allowed or (
                look.state == CLOSED and _timed_out(side, moments, look, packets, fin_timeout_s)
            ):
                continue
            found.append(
                f"at {look.at_s:+.3f} s the {side}'s socket was {look.state}; its packets say {' or '.join(allowed)}"
            )
        last = moments[-1]
        if len(moments) > 1 and not any(look.at_s + look.took_s >= last.at_s for look in own):
            found.append(f"nobody looked at the {side}'s socket after {last.at_s:+.3f} s, when it came to {last.state}")
        found += _unexplained(side, packets, acts)
    return found


def _allowed(moments: Sequence[Moment], look: Look) -> list[str]:
    """The states that the packets leave open for a look: what held before it, and what came in while it was taken."""
    begins, ends = look.at_s - SLACK_S, look.at_s + look.took_s + SLACK_S
    before = [moment for moment in moments if moment.at_s <= begins]
    return [before[-1].state] + [moment.state for moment in moments if begins < moment.at_s <= ends]


def _timed_out(
    side: Side, moments: Sequence[Moment], look: Look, packets: Sequence[Passed], fin_timeout_s: float
) -> bool:
    """Whether a socket may be gone at ``look`` with no packet that says so: a timer of its kernel took it."""
    last = [moment for moment in moments if moment.at_s <= look.at_s + look.took_s + SLACK_S][-1]
    since = look.at_s + look.took_s - last.at_s
    if last.state == "FIN_WAIT2":
        return since >= fin_timeout_s * _GRAIN
    if last.state == "TIME_WAIT":
        return since >= TIMEWAIT_S * _GRAIN
    if last.state in ("FIN_WAIT1", "CLOSING", "LAST_ACK"):  # it sent its FIN again, and gave up
        return any(p.role == "fin" and p.sender == side and p.again and p.at_s <= look.at_s for p in packets)
    return False


def _unexplained(side: Side, packets: Sequence[Passed], acts: Sequence[Act]) -> list[str]:
    """What a program was told that neither a packet nor its own doing explains."""
    found = []
    delivered = {
        role: min(
            (p.left_s for p in packets if p.sender == other(side) and p.role == role and p.left_s is not None),
            default=None,
        )
        for role in ("fin", "rst")
    }
    told = own = False  # an error is told once, and then reads say EOF; shutdown and close make signs of their own
    for act in acts:
        if act.side != side:
            continue
        own = own or act.call in ("shutdown", "close")
        needs = {"EOF": ("fin", "rst"), "ECONNRESET": ("rst",), "EPIPE": ("rst",)}.get(act.error or "")
        if needs is None or told or (own and act.error != "ECONNRESET"):
            continue
        ends = act.at_s + act.took_s + SLACK_S
        if not any((at := delivered[role]) is not None and at <= ends for role in needs):
            found.append(
                f"the {side}'s {act.call} said {act.error} at {act.at_s:+.3f} s, with no {' or '.join(needs)} before it"
            )
        told = told or act.error in ("ECONNRESET", "EPIPE")
    return found
