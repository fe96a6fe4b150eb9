"""What a segment is called when a person reads about it: its role and, where there are several, its number."""

from collections import Counter

from harness.observe.segments import Role, Segment

_PLAIN: tuple[Role, ...] = ("ack", "data", "syn", "syn-ack", "keepalive answer", "window answer")
_NUMBERED: tuple[Role, ...] = ("keepalive probe", "window probe", "retransmission")


class Names:
    """Names segments one after the other, counting them per kind and sender."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()

    def of(self, segment: Segment) -> str:
        """Return "keepalive probe 2 from the server"."""
        what: str = segment.role
        if segment.role in _NUMBERED or segment.again:
            self._counts[what, segment.sender] += 1
            again = "" if segment.role in _NUMBERED else "sent again, "
            what = f"{what} {again}{self._counts[what, segment.sender]}"
        return f"{what} from the {segment.sender}"


def notable(segment: Segment) -> bool:
    """Whether a person who waits wants to see this segment: all but plain acknowledgments and what is sent first."""
    return segment.again or segment.role not in _PLAIN
