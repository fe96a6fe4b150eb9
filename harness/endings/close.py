"""What must be seen when one end closes: close(), SO_LINGER, shutdown(SHUT_WR), or its process is killed.

SO_LINGER: socket(7); net/ipv4/af_inet.c, inet_release; net/ipv4/tcp.c, __tcp_close.
"""

from typing import TYPE_CHECKING, ClassVar

from harness.endings.base import (
    DATA_FIRST,
    ERROR_ONCE,
    RFC_CLOSE,
    RFC_DIAGRAM,
    RST_ON_UNREAD,
    RST_ON_ZERO,
    check,
    within,
)
from harness.endings.closing import COUNT, Closing
from harness.endings.record import CLOSED, Check
from harness.spec.sides import Side
from harness.units import format_duration

if TYPE_CHECKING:
    from harness.endings.seen import Seen

_AT_ONCE_S = 0.05
_DELAYED_ACK_S = 0.2  # include/net/tcp.h, TCP_DELACK_MAX: so late may a FIN be acknowledged where data went both ways
_LINGERS = (
    "net/ipv4/tcp.c, sk_stream_wait_close: close() waits until its FIN is acknowledged, no longer than SO_LINGER says"
)
_NOT_RST = "net/ipv4/tcp.c, __tcp_close: when the time is over the socket becomes an orphan that goes on trying; no RST"


class _Close(Closing):
    def checks(self, seen: "Seen") -> list[Check]:
        closer, left = seen.closer, seen.other
        bye, reason = (
            ("RST", RST_ON_UNREAD if self.unread_tells else RST_ON_ZERO) if self.resets else ("FIN", RFC_CLOSE)
        )
        found = [check(f"the {closer}'s goodbye", bye, seen.goodbye(closer), reason), *self._took(seen)]
        if self.gone:
            return found + self._alone(seen, bye)
        if bye == "RST":
            return [
                *found,
                check(f"the {closer}'s socket afterwards", CLOSED, seen.last(closer).state, RFC_DIAGRAM),
                check(
                    f"the {left}'s reads",
                    [str(COUNT), "ECONNRESET", "EOF"],
                    seen.said(left, "recv"),
                    f"{DATA_FIRST}; {ERROR_ONCE}",
                ),
                check(
                    f"the {left}'s next write",
                    ["EPIPE"],
                    seen.said(left, "send"),
                    "send(2): EPIPE once the socket is shut down",
                ),
                check(f"the {left}'s socket afterwards", CLOSED, seen.last(left).state, RFC_DIAGRAM),
                check(
                    "bytes that the closer never read",
                    COUNT if self.values["unread"] else 0,
                    seen.bytes(left).lost,
                    reason,
                ),
                check("bytes of the closer's lost", 0, seen.bytes(closer).lost, DATA_FIRST),
            ]
        return found + self._graceful(seen)

    def _graceful(self, seen: "Seen") -> list[Check]:
        closer, left = seen.closer, seen.other
        found = [
            check(
                f"the {left}'s reads",
                [str(COUNT), "EOF"],
                seen.said(left, "recv"),
                "RFC 9293 3.6: FIN comes after all data",
            ),
            check(f"the {left} between EOF and its own close", True, "CLOSE_WAIT" in seen.states(left), RFC_DIAGRAM),
            check(f"the {closer} meanwhile", True, "FIN_WAIT2" in seen.states(closer), RFC_DIAGRAM),
            check(f"the {closer}'s socket afterwards", "TIME_WAIT", seen.last(closer).state, RFC_DIAGRAM),
            check(f"the {left}'s socket afterwards", CLOSED, seen.last(left).state, RFC_DIAGRAM),
            check("bytes lost", 0, seen.bytes(closer).lost, "RFC 9293 3.6: FIN comes after all data"),
        ]
        if self.half:
            unread = COUNT if self.values["unread"] else 0
            found.append(
                check(
                    f"bytes the {closer} read after its own FIN",
                    COUNT + unread,
                    seen.bytes(left).delivered,
                    "shutdown(2): SHUT_WR ends one direction",
                )
            )
        return found

    def _alone(self, seen: "Seen", bye: str) -> list[Check]:
        closer, left = seen.closer, seen.other
        ends = {CLOSED} if bye == "RST" or not (self.half or self.lingers) else {"FIN_WAIT1"}
        why = (
            "RFC 9293 3.5.3: an RST is sent once and not acknowledged"
            if bye == "RST"
            else "net/ipv4/tcp_timer.c, tcp_write_timeout: a FIN that nobody acknowledges is sent again; an orphan"
            " gives up after tcp_orphan_retries, here 1"
        )
        found = [
            check(f"the {closer}'s socket at the end", ends, seen.last(closer).state, why),
            check(
                f"the {left}'s socket at the end", "ESTABLISHED", seen.last(left).state, "nothing reached it: half-open"
            ),
            check("bytes of the closer's lost", COUNT, seen.bytes(closer).lost, "the path was cut"),
        ]
        if bye == "FIN":
            found.append(check(f"RSTs that the {closer} sent", 0, len(seen.sent(closer, "rst")), _NOT_RST))
        return found

    def _took(self, seen: "Seen") -> list[Check]:
        closes = seen.did(seen.closer, "close")
        if not closes or self.half:
            return []
        seconds = float(self.values["linger"] or 0)
        took, said = closes[0].took_s, closes[0].error or "0"
        found = [
            check(
                "close() returned",
                "0",
                said,
                "net/socket.c, __sock_release: tcp_close returns nothing that close() could tell",
            )
        ]
        if self.gone and seconds and not self.resets:
            late = seconds + seen.lateness_s(seconds) + _AT_ONCE_S
            return [*found, within("close() took", seconds, late, took, f"{_LINGERS}; O_NONBLOCK is not looked at")]
        if seconds and not self.resets:
            return [*found, within("close() took", 0.0, _DELAYED_ACK_S + _AT_ONCE_S, took, _LINGERS)]
        return [*found, within("close() took", 0.0, _AT_ONCE_S, took, "socket(7), SO_LINGER: close() does not wait")]

    def why(self, seen: "Seen") -> str:
        closer, left = seen.closer, seen.other
        lost, unread = seen.bytes(closer).lost, seen.bytes(left).lost
        if self.resets:
            because = "data was unread" if self.unread_tells else "SO_LINGER was on with time 0"
            after = (
                f"the {left} never learns of it"
                if self.gone
                else f"the {left} read what had come, then ECONNRESET, then EOF"
            )
            return f"The {closer}'s kernel said RST and not FIN, because {because}; {after}. {_lost(lost + unread)}"
        if self.gone and self.lingers:
            took = format_duration(seen.did(closer, "close")[0].took_s)
            return (
                f"close() blocked for {took} and returned 0 although nothing was acknowledged; no RST followed, the"
                f" orphan went on sending its FIN. {_lost(lost)}"
            )
        if self.gone:
            return (
                f"The {closer}'s FIN was never acknowledged; the {left} is half-open and knows nothing. {_lost(lost)}"
            )
        if self.values["how"] == "kill":
            return (
                f"kill -9 is no half-open connection: the {closer}'s kernel closed its socket with FIN, and the {left}"
                " read EOF."
            )
        if self.lingers:
            took = format_duration(seen.did(closer, "close")[0].took_s)
            return (
                f"close() returned after {took}, when the {left}'s kernel had acknowledged the FIN; its program had"
                " read nothing by then."
            )
        if self.half:
            return f"shutdown(SHUT_WR) ended one direction: the {left} read EOF, and the {closer} still read what came."
        return (
            f"The {closer} said FIN after its data; the {left} read the data, then EOF, and closed too. {_lost(lost)}"
        )


def _lost(count: int) -> str:
    return f"{count} bytes that a kernel had accepted were lost." if count else "No byte was lost."


class CloseClient(_Close):
    name = "close-client"
    help = "The client closes, in each of the ways that there are; both ends' states, the packets, the bytes lost."
    closer: ClassVar[Side] = "client"
    mortal: ClassVar[Side] = "client"


class CloseServer(_Close):
    name = "close-server"
    help = "The server closes, in each of the ways that there are; both ends' states, the packets, the bytes lost."
    closer: ClassVar[Side] = "server"
    mortal: ClassVar[Side] = "server"
