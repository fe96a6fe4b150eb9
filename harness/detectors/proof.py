"""What both sockets (sock_diag) and the router's packets must show before a check is asked: then the state is proved.

A socket that was reset is in no table any more: sock_diag shows none (net/ipv4/tcp.c, tcp_done; inet_unhash).
"""

import asyncio
import contextlib

import msgspec

from harness.detectors.states import PENDING
from harness.scene.stage import Stage

_WITHIN_S = 3.0
# A socket's state changes a moment after the packet that changes it was seen on the router: then nothing else tells.
_LOOK_AGAIN_S = 0.02


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """Both ends: state, armed timer, bytes unread and unacknowledged, retransmissions; and what the router forwarded.

    ``state`` "none": the host has no such socket. ``peer_owned``: the peer's program holds its socket.
    ``fins``, ``rsts``: forwarded to the asking end, and not for the second time. ``since_cut``: segments that reached
    it since the path was cut, None where it was not.
    """

    state: str
    timer: str
    unread: int
    unacked: int
    retransmits: int
    peer_state: str
    peer_unread: int
    peer_owned: bool
    fins: int
    rsts: int
    window_closed: bool
    since_cut: int | None


async def look(stage: Stage, cut_at: float | None) -> Seen:
    """Look at both sockets and at the packets so far."""
    here = await stage.survivor.host.socket(stage.flow)
    there = await stage.peer.host.socket(stage.flow)
    await stage.lab.drain()
    to_here = [s for s in stage.trace.segments if s.sender == stage.peer.side and s.left_at is not None]
    return Seen(
        state="none" if here is None else here.state,
        timer="none" if here is None else here.timer,
        unread=0 if here is None else here.rqueue,
        unacked=0 if here is None else here.wqueue,
        retransmits=0 if here is None else here.retransmits,
        peer_state="none" if there is None else there.state,
        peer_unread=0 if there is None else there.rqueue,
        peer_owned=there is not None and there.owned,
        fins=sum(s.role == "fin" and not s.again for s in to_here),
        rsts=sum(s.role == "rst" for s in to_here),
        window_closed=stage.closed_window() is not None,
        since_cut=None if cut_at is None else sum(s.left_at > cut_at for s in to_here if s.left_at is not None),
    )


def missing(state: str, seen: Seen) -> str | None:
    """Return what is not as it must be in ``state``, None where all is."""
    wrong = [text for text, holds in _wanted(state, seen) if not holds]
    return "; ".join(wrong) or None


def _wanted(state: str, seen: Seen) -> list[tuple[str, bool]]:
    if state in ("quiet", "data", "hung"):
        unread = PENDING if state == "data" else 0
        return [
            *_both_established(seen),
            (f"{seen.unread} bytes unread", seen.unread == unread),
            (f"{seen.unacked} bytes unacknowledged", seen.unacked == 0),
            (f"{seen.fins} FIN, {seen.rsts} RST", not seen.fins and not seen.rsts),
        ]
    if state == "zero":
        return [
            *_both_established(seen),
            ("the peer has nothing unread", seen.peer_unread > 0),
            (f"timer {seen.timer}, not probe", seen.timer == "probe"),
            ("no closed window was announced", seen.window_closed),
        ]
    if state in ("half", "fin", "fin+data"):
        unread = (PENDING if state == "fin+data" else 0) + 1  # sock_diag counts the FIN, which has a number of its own
        return [
            (f"socket {seen.state}, not CLOSE_WAIT", seen.state == "CLOSE_WAIT"),
            (f"the peer's socket {seen.peer_state}, not FIN_WAIT2", seen.peer_state == "FIN_WAIT2"),
            (f"{seen.fins} FIN", seen.fins == 1),
            (f"{seen.rsts} RST", seen.rsts == 0),
            (f"{seen.unread} unread, with the FIN", seen.unread == unread),
            ("the peer's program holds its socket, or not", seen.peer_owned == (state == "half")),
        ]
    if state in ("rst", "rst+data"):
        return [
            (f"socket {seen.state}, not gone", seen.state == "none"),
            (f"the peer's socket {seen.peer_state}, not gone", seen.peer_state == "none"),
            (f"{seen.rsts} RST", seen.rsts == 1),
        ]
    return [
        (f"socket {seen.state}, not ESTABLISHED", seen.state == "ESTABLISHED"),
        (f"the peer's socket {seen.peer_state}", seen.peer_state in ("FIN_WAIT1", "none")),
        (f"{seen.since_cut} segments got through", seen.since_cut == 0),
        (f"{seen.unacked} bytes unacknowledged", seen.unacked == (1 if state == "unacked" else 0)),
        ("nothing was sent again", seen.retransmits >= 1 or state == "idle"),
    ]


def _both_established(seen: Seen) -> list[tuple[str, bool]]:
    return [
        (f"socket {seen.state}, not ESTABLISHED", seen.state == "ESTABLISHED"),
        (f"the peer's socket {seen.peer_state}, not ESTABLISHED", seen.peer_state == "ESTABLISHED"),
    ]


async def proved(stage: Stage, state: str, cut_at: float | None) -> tuple[Seen, str | None]:
    """Look until the state is proved, or for three seconds; return what was seen last, and what is missing."""
    seen = await look(stage, cut_at)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_WITHIN_S):
            while missing(state, seen) is not None:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_AGAIN_S):
                        await stage.look_again()
                seen = await look(stage, cut_at)
    return seen, missing(state, seen)
