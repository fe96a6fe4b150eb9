"""What an ending is: what is done on an open connection, and what must then be seen, written by hand with its reason.

An ending is one module in this folder with one subclass of ``Script``; it becomes a command by being there.
"""

from typing import TYPE_CHECKING, Any, ClassVar

from harness.endings.record import Check
from harness.spec.options import Option
from harness.spec.sides import Side

if TYPE_CHECKING:  # importing it would bring the lab along, and listing the commands must be quick
    from harness.endings.seen import Seen
    from harness.endings.stage import EndingStage

# Where the facts of the expectations stand.
RFC_CLOSE = "RFC 9293 3.6: close() sends FIN, which is acknowledged, and says nothing about the other direction"
RFC_DIAGRAM = "RFC 9293 3.3.2, the state diagram"
RST_ON_UNREAD = "net/ipv4/tcp.c, __tcp_close, after RFC 2525 2.17: unread data is lost, so it says RST and not FIN"
RST_ON_ZERO = "socket(7), SO_LINGER, and net/ipv4/tcp.c, tcp_disconnect: on with time 0 aborts the connection"
NO_SOCKET = "RFC 9293 3.10.7.1: a segment for a connection that does not exist is answered with RST"
RST_IN_CLOSE_WAIT = "net/ipv4/tcp_input.c, tcp_reset: RST in CLOSE_WAIT is EPIPE, elsewhere ECONNRESET"
ERROR_ONCE = "net/core/sock.c, sock_error: a pending error is told once, and is then gone"
DATA_FIRST = "net/ipv4/tcp.c, tcp_recvmsg_locked: what is queued is read before any error is looked at"
DONE_FIRST = "net/ipv4/tcp.c, tcp_recvmsg_locked: after a FIN reads say EOF, whatever came since"


class Script:
    """``name`` is the command. ``closer``: the end that says goodbye first. ``mortal``: the end whose process may end.

    ``options``: its own; ``values`` holds what was asked, by the option's name.
    """

    name: ClassVar[str]
    help: ClassVar[str]
    closer: ClassVar[Side]
    mortal: ClassVar[Side]
    options: ClassVar[tuple[Option, ...]] = ()

    def __init__(self, **options: Any) -> None:
        """Raise Refused where options make no sense together."""
        self.values = {option.field or option.name: option.default for option in self.options} | options

    @property
    def fin_timeout_s(self) -> int | None:
        """The closer's tcp_fin_timeout, None where it stays as it is."""
        return None

    async def play(self, stage: "EndingStage") -> None:
        """Do it, from an open connection to the last look."""
        raise NotImplementedError

    def effect(self, seen: "Seen") -> tuple[str, float | None]:
        """Return what shows that the ending is in force, and when that was: the closer's first FIN or RST."""
        first = next(
            (p for p in seen.packets if p.sender == seen.closer and p.role in ("fin", "rst") and p.at_s >= 0), None
        )
        return ("nothing on the router", None) if first is None else (f"{first.role.upper()} on the router", first.at_s)

    def checks(self, seen: "Seen") -> list[Check]:
        """Return what had to be seen, against what was."""
        raise NotImplementedError

    def why(self, seen: "Seen") -> str:
        """Return one sentence that explains it."""
        raise NotImplementedError


def check(what: str, wanted: object, seen: object, why: str) -> Check:
    """Expect ``seen`` to be ``wanted``; a set or list of alternatives is a ``set``."""
    holds = seen in wanted if isinstance(wanted, (set, frozenset)) else seen == wanted
    words = " or ".join(sorted(map(_word, wanted))) if isinstance(wanted, (set, frozenset)) else _word(wanted)
    return Check(what=what, wanted=words, seen=_word(seen), holds=holds, why=why)


def within(what: str, low: float, high: float, seen: float | None, why: str) -> Check:
    """Expect a duration (s) to lie in [low, high]."""
    holds = seen is not None and low <= seen <= high
    words = "never" if seen is None else f"{seen:.3f} s"
    return Check(what=what, wanted=f"{low:.3f} to {high:.3f} s", seen=words, holds=holds, why=why)


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_word, value)) or "none"
    return str(value)
