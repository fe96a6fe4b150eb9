"""What was seen of one ending: acts, looks and packets on one clock, in seconds since the ending was asked for."""

from collections.abc import Sequence

import msgspec

from harness.endings.record import CLOSED, Act, Bytes, Look, Passed
from harness.spec.sides import Side, other

# sock_diag counts a FIN of which no read has told yet as one unread byte (net/ipv4/tcp_diag.c: rcv_nxt - copied_seq).
_AFTER_FIN = ("CLOSE_WAIT", "LAST_ACK", "CLOSING")


class Seen(msgspec.Struct, kw_only=True):
    """``closer``: the end that says goodbye first.

    ``hz``: ticks of the kernel a second; ``fin_timeout_s``: tcp_fin_timeout where the closer is.
    """

    closer: Side
    acts: Sequence[Act]
    looks: Sequence[Look]
    packets: Sequence[Passed]
    hz: int
    fin_timeout_s: float

    @property
    def other(self) -> Side:
        return other(self.closer)

    def did(self, side: Side, *calls: str) -> list[Act]:
        """Return what ``side`` did after the ending was asked for, of the given calls."""
        return [act for act in self.acts if act.side == side and act.call in calls and act.at_s >= 0]

    def said(self, side: Side, *calls: str) -> list[str]:
        """Return the outcomes of those calls: what they returned, or the error's name."""
        return [act.error or str(act.result) for act in self.did(side, *calls)]

    def sent(self, side: Side, role: str) -> list[Passed]:
        """Return the segments of that role that ``side`` sent after the ending was asked for, repeats left out."""
        return [p for p in self.packets if p.sender == side and p.role == role and not p.again and p.at_s >= 0]

    def goodbye(self, side: Side) -> str:
        """Return how ``side`` took its leave on the wire: FIN, RST, FIN then RST, or nothing."""
        roles = [
            p.role
            for p in self.packets
            if p.sender == side and p.role in ("fin", "rst") and not p.again and p.at_s >= 0
        ]
        first = list(dict.fromkeys(roles))
        return " then ".join(role.upper() for role in first) or "nothing"

    def states(self, side: Side) -> list[str]:
        """Return the states in which ``side`` was seen, one after another."""
        found: list[str] = []
        for look in self.looks:
            if look.side == side and look.at_s >= 0 and (not found or found[-1] != look.state):
                found.append(look.state)
        return found

    def last(self, side: Side) -> Look:
        """Return the last look at ``side``."""
        return next(look for look in reversed(self.looks) if look.side == side)

    def gone_at(self, side: Side, after_s: float = 0.0) -> float | None:
        """Return when ``side`` was first seen without its socket."""
        return next((k.at_s for k in self.looks if k.side == side and k.state == CLOSED and k.at_s >= after_s), None)

    def bytes(self, writer: Side) -> Bytes:
        """Return what became of the payload of ``writer``."""
        reader = other(writer)
        accepted = sum(
            a.result for a in self.acts if a.side == writer and a.call == "send" and isinstance(a.result, int)
        )
        read = sum(a.result for a in self.acts if a.side == reader and a.call == "recv" and isinstance(a.result, int))
        last = self.last(reader)
        queued = max(0, last.rqueue - (last.state in _AFTER_FIN))
        return Bytes(writer=writer, accepted=accepted, delivered=read, unread=min(queued, accepted - read))

    def lateness_s(self, seconds: float) -> float:
        """Return how late a timer of ``seconds`` may run: a bucket of the wheel, and a tick (kernel/time/timer.c)."""
        granule = 1
        while seconds * self.hz >= 63 * granule:
            granule *= 8
        return (granule + 1) / self.hz
