"""The sentences of a prediction, with the arithmetic, and its timeline."""

from harness.predict.amounts import amount, window
from harness.predict.explain import BY, kernel_reason
from harness.predict.instants import filled
from harness.predict.path import path_of, reply_after
from harness.predict.race import Race
from harness.predict.situation import Prediction, Situation, Step
from harness.predict.wheel import Wheel

_MOST_STEPS = 40


def why(asked: Situation, found: Race, decided: Prediction) -> str:
    """Return the reason for ``decided``, in one or two sentences."""
    s = filled(asked)
    if decided.verdict == "missed":
        return _missed(s)
    if decided.verdict == "survived":
        return _survived(s, decided)
    when = window(decided.earliest_s, decided.latest_s, decided.exact_s)
    if s.traffic == "connect":
        when = when.replace("after the fault", "after connect()")
    if decided.verdict == "unknown":
        return f"{_chance(s, decided)} If a death comes of it, it is {when}."
    reason = BY[decided.by](s, decided, found) if decided.by in BY else kernel_reason(s, decided, found)
    moral = ""
    if decided.verdict == "mistaken":
        moral = " The connection is healthy." if s.effect.heals_after_s is None else _too_soon(s, decided)
    return f"{reason} That is {when}.{moral}"


def _too_soon(s: Situation, decided: Prediction) -> str:
    outage = s.effect.heals_after_s or 0.0
    at = decided.exact_s if decided.exact_s is not None else decided.earliest_s or 0.0
    if at >= outage:
        return f" The network is back after {amount(outage)}, too late for the last probe or retransmission."
    return f" The network would have been back after {amount(outage)}."


def _missed(s: Situation) -> str:
    settings = s.settings
    if s.effect.peer == "hung":
        return (
            "The peer's program hangs, but its kernel goes on acknowledging, so no TCP timer ever runs out; "
            "only a read deadline or a heartbeat would notice."
        )
    if settings.keepalive and s.effect.place == "own-queue":
        return (
            "The survivor's own queue refuses every keepalive probe, and a probe that is known not to have left is not "
            "counted: it is tried again every half second, for ever."
        )
    if settings.user_timeout_ms and not settings.keepalive:
        return (
            "No timer is armed: TCP_USER_TIMEOUT counts only while data or probes are unanswered, and without "
            "keepalive an idle connection sends nothing."
        )
    return "No timer is armed: nothing is unacknowledged, keepalive is off, and no deadline or heartbeat is set."


def _survived(s: Situation, decided: Prediction) -> str:
    if s.mapping_expires_at is not None:
        return "The survivor speaks by itself before the NAT forgets: each probe or heartbeat renews the mapping."
    if s.effect.heals_after_s is None:
        if s.effect.to_peer == "big-drop":
            return "Only full-sized segments vanish; everything that this connection sends is small, and is answered."
        if s.traffic == "blocked":
            return "The peer answers every window probe it may, so the kernel waits for the window for ever."
        return "The peer answers whatever is sent, and no deadline runs out."
    outage = amount(s.effect.heals_after_s)
    back = window(decided.recovery_earliest_s, decided.recovery_latest_s, decided.recovery_exact_s)
    if decided.recovery_earliest_s != decided.recovery_latest_s or (decided.recovery_earliest_s or 0) > (
        s.effect.heals_after_s + s.srtt_s
    ):
        return (
            f"The network is back after {outage}, before the kernel gives up; data flows again when the retransmission "
            f"timer next runs, {back}."
        )
    return f"The network is back after {outage}, before any detector gives up."


def _chance(s: Situation, decided: Prediction) -> str:
    loss = s.effect.loss
    if "lossy" in (s.effect.to_peer, s.effect.to_survivor):
        trip = 1 - (1 - loss) ** ((s.effect.to_peer == "lossy") + (s.effect.to_survivor == "lossy"))
        text = f"Chance decides: {loss:.0%} of packets vanish, so a probe goes unanswered with probability {trip:.3g}"
        if decided.by == "keepalive":
            return f"{text}, and all {s.settings.count} in a row with {trip**s.settings.count:.2g}."
        return f"{text}."
    return f"It hangs on a few milliseconds whether {decided.by} gives up before the network is back."


def steps(asked: Situation, found: Race, decided: Prediction) -> list[Step]:
    """Return the timeline up to the end, in order."""
    s = filled(asked)
    wheel = Wheel(s.kernel.hz)
    fine = found.fine is not None
    trace = found.fine.trace if found.fine is not None else found.rough.trace
    listed = _begun(s, wheel)
    for what, (low, high) in trace.items():
        lo, hi = (round(wheel.seconds(tick) - s.fault_at, 9) for tick in (low, high))
        listed.append(Step(at_s=hi, what=what) if fine else Step(at_s=hi, what=what, earliest_s=lo, latest_s=hi))
    last = decided.exact_s if decided.exact_s is not None else decided.latest_s
    end = last if last is not None else decided.recovery_latest_s
    kept = [step for step in listed if end is None or step.at_s <= end]
    kept = sorted(kept, key=lambda step: step.at_s)[:_MOST_STEPS]
    if decided.verdict in ("detected", "mistaken") and decided.earliest_s is not None:
        at = last if last is not None else decided.earliest_s
        kept.append(
            Step(
                at_s=at,
                what=f"{decided.sign} ({decided.by})",
                earliest_s=decided.earliest_s if decided.exact_s is None else None,
                latest_s=decided.latest_s if decided.exact_s is None else None,
            )
        )
    return kept


def _begun(s: Situation, wheel: Wheel) -> list[Step]:
    """What happened before any timer ran."""
    begun: list[tuple[float | None, str]] = []
    if s.traffic == "connect":
        begun.append((s.fault_at, "connect() sends the first SYN"))
    else:
        begun.append((s.heard_at, "the peer was last heard"))
        begun.append((s.armed_at if s.settings.keepalive else None, "keepalive armed"))
        begun.append((s.window_closed_at, "the window closed"))
        if s.unacked_at is not None and path_of(s, wheel).during != "ack":
            begun.append((s.unacked_at, "data written that is never acknowledged"))
        begun.append((s.ping_at if s.settings.heartbeat_s else None, "first heartbeat without an answer"))
    if s.effect.heals_after_s is not None:
        whole = (
            "the network is whole again"
            if reply_after(s.effect) != "silence"
            else "the network is whole, the peer dead"
        )
        begun.append((s.fault_at + s.effect.heals_after_s, whole))
    return [Step(at_s=round(at - s.fault_at, 9), what=what) for at, what in begun if at is not None]
