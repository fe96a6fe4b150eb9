"""The states a connection can be in, as the asking end has them, and what is true in each.

RFC 9293 3.3.2 (the states' names), 3.5.1 (half-open), 3.8.6.1 (zero window); what Linux does: docs/linux.md.
"""

import msgspec

# So many bytes lie in the asking end's receive queue in the states called "... with data".
PENDING = 5


class State(msgspec.Struct, frozen=True):
    """``there``: whether the peer's program is there and what is sent now will be received; ``why`` that is so."""

    name: str
    title: str
    there: bool
    why: str
    pending: int = 0


ALL = (
    State("quiet", "healthy and quiet", True, "the peer's program reads"),
    State(
        "data", "healthy, data pending", True, "the peer's program reads; its 5 bytes have not been read here", PENDING
    ),
    State(
        "half",
        "FIN by shutdown(SHUT_WR)",
        True,
        "the peer's program sends no more and still reads: what is sent now is received",
    ),
    State(
        "zero", "zero window", True, "the peer's program is alive and will read later; its kernel keeps what it took"
    ),
    State("fin", "FIN by close()", False, "the peer has closed its socket: what is sent now is answered with RST"),
    State("fin+data", "FIN, data pending", False, "the same, with 5 bytes unread here", PENDING),
    State("rst", "RST", False, "the connection no longer exists at either end"),
    State("rst+data", "RST, data pending", False, "the same, with 5 bytes unread here", PENDING),
    State("idle", "half-open, idle", False, "the path is cut and the peer's process was killed"),
    State("unacked", "half-open, data unacked", False, "the same, and a byte is on its way to nowhere"),
    State(
        "hung",
        "peer's program hangs",
        False,
        "the peer's process is stopped (SIGSTOP): its kernel acknowledges what no program receives",
    ),
)

STATES = {state.name: state for state in ALL}
