"""The two ends of a connection."""

from typing import Literal

Side = Literal["client", "server"]
SIDES: tuple[Side, Side] = ("client", "server")


def other(side: Side) -> Side:
    """Return the opposite end."""
    return "server" if side == "client" else "client"
