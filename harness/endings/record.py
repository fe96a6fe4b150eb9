"""An ending's record: one JSON object per trial. Field names are a contract (docs/endings.md); fields may be added.

Durations are seconds; every ``at_s`` counts from the instant at which the ending was asked for.
"""

from typing import Any, Literal

import msgspec

from harness.spec.sides import Side

SCHEMA = 1

# What sock_diag does not show any more: closed, reset, or timed out. RFC 9293 calls it CLOSED, and so does the record.
CLOSED = "CLOSED"


class Act(msgspec.Struct, kw_only=True):
    """What an end's program did, and what came of it.

    ``call``: as in calls.py, or kill, exit. ``asked``: its argument. ``result``: what it returned; ``error``: errno's
    name, or EOF. ``took_s``: how long the call took.
    """

    at_s: float
    side: Side
    call: str
    asked: Any = None
    result: Any = None
    error: str | None = None
    took_s: float = 0.0


class Look(msgspec.Struct, kw_only=True):
    """One end's socket, as sock_diag(7) showed it between ``at_s`` and ``at_s + took_s``.

    ``owned``: a process has it; an orphan, and what is left of a socket in TIME_WAIT, nobody has.
    """

    at_s: float
    side: Side
    state: str
    took_s: float = 0.0
    timer: str = "none"
    timer_expires_s: float | None = None
    rqueue: int = 0
    wqueue: int = 0
    owned: bool = True


class Passed(msgspec.Struct, kw_only=True):
    """One segment on the router. ``again``: sent before; ``dropped``: it never left the router."""

    at_s: float
    sender: Side
    role: str
    payload: int = 0
    again: bool = False
    dropped: bool = False
    left_s: float | None = None
    seq: int = 0
    ack: int = 0


class Bytes(msgspec.Struct, kw_only=True):
    """Payload from ``writer`` to the other end: taken by its kernel, read by the other's program, and the difference.

    ``unread``: of those lost, how many the other end's kernel still held at the last look.
    """

    writer: Side
    accepted: int
    delivered: int
    unread: int = 0

    @property
    def lost(self) -> int:
        return self.accepted - self.delivered


class Check(msgspec.Struct, kw_only=True):
    """One expectation, written by hand, with its reason; ``seen`` is what was measured."""

    what: str
    wanted: str
    seen: str
    holds: bool
    why: str


class Ending(msgspec.Struct, kw_only=True):
    """One trial, whole. ``effect_after_s``: from the instant asked until the ending showed.

    ``consistent``: states, packets and what the programs saw agree; ``missing`` says what does not.
    """

    ending: str
    trial: int
    asked: dict[str, Any]
    closer: Side
    ipv: Literal[4, 6]
    lab: dict[str, Any]
    effect_after_s: float | None
    effect: str
    acts: list[Act]
    states: list[Look]
    packets: list[Passed]
    bytes: list[dict[str, Any]]
    consistent: bool
    missing: list[str]
    expected: bool
    checks: list[Check]
    why: str = ""
    schema: int = SCHEMA
