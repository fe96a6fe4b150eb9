"""Judges the evidence: was the connection really what the fault claims when the clock started?

Half-open (RFC 9293 3.5.1) means here: the survivor's socket still ESTABLISHED after the fault, the peer gone or cut
off, and not one segment delivered to the survivor from the fault to the sign.
"""

from collections.abc import Callable

from harness.faults.base import Claim
from harness.scene.survey import Evidence
from harness.verdict.record import Proof

_HALF_OPEN: tuple[Claim, ...] = ("half-open", "vanished")


def prove(claim: Claim, evidence: Evidence) -> Proof:
    """Return the proof; ``holds`` is False, and ``missing`` says why, where the evidence does not show the claim."""
    missing = _CLAIMS[claim](evidence)
    if missing is None and not evidence.capture_complete:
        missing = "the capture lost packets, so silence is not shown"
    state = None if evidence.survivor is None else evidence.survivor.state
    return Proof(
        half_open=missing is None and (claim in _HALF_OPEN or (claim == "forgotten" and not evidence.mapping)),
        holds=missing is None,
        claim=claim,
        survivor_state=state,
        peer=evidence.peer,
        peer_state=None if evidence.peer_socket is None else evidence.peer_socket.state,
        to_survivor_after_fault=evidence.to_survivor,
        dropped_packets=evidence.dropped,
        timer=None if evidence.survivor is None else evidence.survivor.timer,
        probes_seen=evidence.probes,
        retransmissions_seen=evidence.retransmissions,
        missing=missing,
        capture_complete=evidence.capture_complete,
    )


def _established(evidence: Evidence) -> str | None:
    if evidence.survivor is None:
        return "the survivor's socket was gone right after the fault"
    if evidence.survivor.state != "ESTABLISHED":
        return f"the survivor's socket was {evidence.survivor.state} after the fault, not ESTABLISHED"
    return None


def _half_open(evidence: Evidence) -> str | None:
    if (lacking := _established(evidence)) is not None:
        return lacking
    if evidence.peer not in ("killed", "cut off", "powered off"):
        return f"the peer was {evidence.peer}"
    if evidence.to_survivor > evidence.icmp_to_survivor:
        return f"{evidence.to_survivor - evidence.icmp_to_survivor} segments reached the survivor after the fault"
    return None


def _hung(evidence: Evidence) -> str | None:
    if (lacking := _established(evidence)) is not None:
        return lacking
    if evidence.peer != "stopped":
        return "the peer's process was not seen to stop"
    if evidence.peer_socket is None:
        return "the peer's socket was gone, so its kernel could not go on acknowledging"
    return None


def _vanished(evidence: Evidence) -> str | None:
    if (lacking := _established(evidence)) is not None:
        return lacking
    if evidence.peer_socket is not None:
        return f"the peer still had a socket ({evidence.peer_socket.state})"
    return None


def _forgotten(evidence: Evidence) -> str | None:
    if (lacking := _established(evidence)) is not None:
        return lacking
    if evidence.mapping is None:
        return "the router was not asked for its mapping"
    if not evidence.mapping and evidence.to_survivor > evidence.rst_to_survivor:
        return "something reached the survivor after the mapping was gone"
    return None


def _lossy(evidence: Evidence) -> str | None:
    return _established(evidence)


def _one_way(evidence: Evidence) -> str | None:
    if (lacking := _established(evidence)) is not None:
        return lacking
    if evidence.from_survivor and not evidence.dropped:
        return "the survivor sent and nothing was dropped"
    return None


def _outage(evidence: Evidence) -> str | None:
    if (lacking := _established(evidence)) is not None:
        return lacking
    return None


def _closed(evidence: Evidence) -> str | None:
    if not evidence.goodbye:
        return "neither FIN nor RST reached the survivor"
    return None


def _healthy(evidence: Evidence) -> str | None:
    if (lacking := _established(evidence)) is not None:
        return lacking
    if evidence.dropped:
        return f"{evidence.dropped} packets were dropped on a path that should be whole"
    return None


def _unanswered(evidence: Evidence) -> str | None:
    refused_at_once = evidence.survivor is None and evidence.icmp_to_survivor > 0
    if refused_at_once:
        return None if evidence.to_survivor <= evidence.icmp_to_survivor else "something answered"
    if evidence.survivor is None or evidence.survivor.state != "SYN_SENT":
        return "the survivor's socket was not in SYN_SENT"
    if evidence.to_survivor > evidence.icmp_to_survivor:
        return "something answered"
    return None


_CLAIMS: dict[Claim, Callable[[Evidence], str | None]] = {
    "half-open": _half_open,
    "hung": _hung,
    "vanished": _vanished,
    "forgotten": _forgotten,
    "one-way": _one_way,
    "lossy": _lossy,
    "outage": _outage,
    "closed": _closed,
    "healthy": _healthy,
    "unanswered": _unanswered,
}
