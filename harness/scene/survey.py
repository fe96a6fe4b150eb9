"""Collects the facts: those that the prediction starts from, and those that prove what was measured.

The predictor is told where the survivor's timers stood, from what its socket said and what the router saw; never from
when it died.
"""

from typing import Any

import msgspec

from harness.labs.protocols import Mark, SocketSeen
from harness.observe.naming import Names, notable
from harness.observe.segments import Role
from harness.predict.path import NEVER_OUT
from harness.predict.situation import Effect, Situation, Step
from harness.scene.stage import Stage

# What the kernel's timers send, and how much of it is looked at.
_BY_TIMER: tuple[Role, ...] = ("keepalive probe", "window probe", "retransmission", "syn")
_MOST_SENT = 500
# Longer than a round trip through the lab, shorter than anything that a timer does.
_IN_FLIGHT_S = 0.002
# A stream in trouble sends thousands of segments; all are in events.jsonl.
_MOST_STEPS = 100


class Evidence(msgspec.Struct, kw_only=True):
    """What was seen of one trial, for the proof. Counts are of segments within [fault, sign].

    ``goodbye``: FIN or RST reached the survivor. ``mapping``: whether the NAT knew the connection after the fault.
    """

    survivor: SocketSeen | None = None
    peer: str = "unknown"
    peer_socket: SocketSeen | None = None
    to_survivor: int = 0
    from_survivor: int = 0
    dropped: int = 0
    probes: int = 0
    retransmissions: int = 0
    goodbye: bool = False
    rst_to_survivor: int = 0
    icmp_to_survivor: int = 0
    rst_from_survivor_at: float | None = None
    mapping: bool | None = None
    capture_complete: bool = True


async def at_fault(stage: Stage) -> dict[str, Any]:
    """Return the parts of the Situation that must be read right after the fault, before back-off changes them."""
    tcp = (await stage.survivor.ask("state"))["tcp"]
    srtt_s = tcp["srtt_s"]
    # On a busy machine a retransmission may have come before the question, and has doubled the RTO.
    doubled = tcp.get("backoff", 0) if tcp.get("retransmits") else 0
    return {
        "rto_s": tcp["rto_s"] / (1 << doubled),
        "srtt_s": srtt_s,
        "trip_s": min(tcp.get("trip_s", srtt_s), srtt_s),  # the kernel says 4295 s where it has measured none
        "armed_at": stage.armed_at,
    }


async def situation(stage: Stage, mark: Mark, known: dict[str, Any]) -> Situation:
    """Return what the predictor needs, from what is known by now; it is asked again when the trial is over."""
    state = {} if stage.survivor_gone else await stage.survivor.ask("state")
    await stage.lab.drain()
    at = mark.at_s
    trace, side = stage.trace, stage.survivor.side
    unacked = _unacked(stage, mark)
    return Situation(
        kernel=stage.lab.kernel,
        settings=stage.settings,
        traffic=stage.trial.traffic,
        effect=_effect(stage, mark),
        ipv=stage.trial.ipv,
        fault_at=at,
        heard_at=trace.last_heard(side, before=mark.after / 1e9),
        unacked_at=unacked[0],
        segments=unacked[1],
        window_closed_at=stage.closed_window(),
        read_at=_seconds(state.get("read_at")),
        write_blocked_at=_seconds(state.get("blocked_at")),
        ping_at=_unanswered_ping(stage, state),
        sent_at=tuple(s.at for s in trace.all(_BY_TIMER, side)[:_MOST_SENT]),
        **known,
        **stage.fault.facts(mark),
    )


def _effect(stage: Stage, mark: Mark) -> Effect:
    """Return what the fault does; it heals when it healed, once it has."""
    effect = stage.fault.effect(stage.trial.traffic, stage.survivor.side)
    if stage.healed is None or effect.heals_after_s is None:
        return effect
    return msgspec.structs.replace(effect, heals_after_s=stage.healed.at_s - mark.at_s)


def _seconds(nanoseconds: int | None) -> float | None:
    return None if nanoseconds is None else nanoseconds / 1e9


def _unacked(stage: Stage, mark: Mark) -> tuple[float | None, int]:
    """Return when the oldest data that the peer will never acknowledge was first sent, and how many segments went
    out within the round trip after it (a tail loss probe waits longer for one than for several).
    """
    side = stage.survivor.side
    effect = stage.fault.effect(stage.trial.traffic, side)
    sent = [s for s in stage.trace.all("data", side) if s.at >= mark.before / 1e9 - _IN_FLIGHT_S]
    if stage.trial.traffic == "stream" and effect.to_survivor == "drop" and effect.place not in NEVER_OUT:
        # Acknowledgments are delayed: what reached the peer before the fault may be unacknowledged for ever, too.
        sent = stage.trace.unacknowledged(side, mark.before / 1e9)
    if effect.to_survivor != "drop" and effect.peer not in ("gone", "dead"):
        sent = [s for s in sent if s.dropped]  # the rest is acknowledged
    if not sent:
        lost = effect.to_survivor == "drop" or effect.peer in ("gone", "dead") or effect.place in NEVER_OUT
        if stage.trial.traffic != "write" or not lost:
            return None, 1
        return mark.at_s + stage.trial.write_after_s if stage.wrote_at is None else stage.wrote_at, 1
    first = sent[0].at
    return first, sum(1 for s in sent if s.at - first < _IN_FLIGHT_S)


def _unanswered_ping(stage: Stage, state: dict[str, Any]) -> float | None:
    """Return when the first heartbeat without an answer was, or will be, due."""
    every, due = stage.trial.asked.heartbeat_s, state.get("ping_due")
    if every is None or due is None:
        return None
    unanswered = 1 + state["unanswered"] if state["awaiting_pong"] else 0
    return float(due / 1e9 - every * unanswered)


def timeline(stage: Stage, fault_at: float) -> list[Step]:
    """Return what the router saw of the connection after the fault, as the prediction tells what it should see."""
    names = Names()
    seen = [s for s in stage.trace.segments if s.at >= fault_at and notable(s)][:_MOST_STEPS]
    return [Step(at_s=s.at - fault_at, what=names.of(s)) for s in seen]


async def evidence(
    stage: Stage, mark: Mark, survivor: SocketSeen | None, until: float, mapping: bool | None = None
) -> Evidence:
    """Return what proves, or fails to prove, that the fault was what it claims, up to the instant ``until``.

    ``survivor`` and ``mapping`` were looked up right after the fault.
    """
    await stage.lab.drain()
    trace, side, after = stage.trace, stage.survivor.side, mark.after / 1e9
    # What stood on the way when the fault came into force behind it, on the peer's own host, is no sign of life.
    heard = [s for s in trace.to(side, after, until) if s.arrived_at is None or s.arrived_at > after]
    said = [s for s in trace.segments if s.sender == side and after < s.at <= until]
    rst = next((s for s in trace.segments if s.sender == side and s.role == "rst" and s.at > after), None)
    return Evidence(
        survivor=survivor,
        peer=mark.peer,
        peer_socket=await stage.peer.host.socket(stage.flow),
        to_survivor=len(heard),
        from_survivor=len(said),
        dropped=len(trace.dropped(after, until)),
        probes=len(trace.probes(side, after, until)),
        retransmissions=sum(1 for s in said if s.again and s.role in ("retransmission", "syn", "fin")),
        goodbye=any(s.role in ("fin", "rst") for s in trace.to(side, mark.before / 1e9)),
        # The answer to a first SYN may come while connect() is still being called.
        icmp_to_survivor=sum(1 for s in trace.to(side, mark.before / 1e9, until) if s.role == "icmp"),
        rst_to_survivor=sum(1 for s in heard if s.role == "rst"),
        mapping=mapping,
        capture_complete=stage.lab.lost_packets() == stage.lost_before,
        rst_from_survivor_at=None if rst is None else rst.at,
    )
