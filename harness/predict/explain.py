"""Why each detector fires when it does: one sentence each, with its arithmetic.

Facts: those of the modules that reckon the times. Units: seconds.
"""

from collections.abc import Callable

from harness.predict.amounts import amount
from harness.predict.path import NEVER_OUT, path_of
from harness.predict.persist import Persist
from harness.predict.race import Race
from harness.predict.retransmit import Retransmission, model_timeout_ms
from harness.predict.situation import Prediction, Situation
from harness.predict.wheel import Wheel


def kernel_reason(s: Situation, decided: Prediction, found: Race) -> str:
    """Explain a death by one of the kernel's timers."""
    timers = {finding.timer for finding in found.findings if finding.by == decided.by}
    if "retries" in timers and s.effect.place in NEVER_OUT:
        return _unsent(s, found)
    if "retries" in timers:
        return _retries(s, found)
    if "zero-window" in timers:
        return _zero_window(s)
    if "syn-retries" in timers:
        return _syn(s)
    return _keepalive(s, found)


def _keepalive(s: Situation, found: Race) -> str:
    settings = s.settings
    wheel = Wheel(s.kernel.hz)
    width = wheel.granule(settings.interval_s * wheel.hz - 1)
    each = (settings.interval_s * wheel.hz // width + 1) * width / wheel.hz
    quiet = s.fault_at - (s.heard_at or 0.0)
    silent = f"the connection had been silent for {amount(max(quiet, 0.0))} when the fault struck"
    rounding = f"the timer wheel stretches {amount(settings.interval_s)} to {amount(each)}"
    if first := _at(s, found, "keepalive probe 1"):
        rounding = f"the first probe leaves {first}, and {rounding}"
    if settings.user_timeout_ms:
        timeout = amount(settings.user_timeout_ms / 1000)
        return (
            f"Keepalive with TCP_USER_TIMEOUT: the count of {settings.count} is ignored; the connection dies at the "
            f"first keepalive timer after a probe that finds {timeout} of silence. Idle {amount(settings.idle_s)}, "
            f"interval {amount(settings.interval_s)}; {silent}; {rounding}."
        )
    probes = "probe" if settings.count == 1 else "probes"
    return (
        f"Keepalive: idle {amount(settings.idle_s)}, then {settings.count} {probes} {amount(settings.interval_s)} "
        f"apart; {silent}; {rounding}."
    )


def _at(s: Situation, found: Race, what: str) -> str:
    told = found.fine or found.rough
    if what not in told.trace:
        return ""
    low, high = (tick / s.kernel.hz - s.fault_at for tick in told.trace[what])
    return f"at {amount(low)}" if high - low < 1e-9 else f"at {amount(low)} to {amount(high)}"


def _retries(s: Situation, found: Race) -> str:
    settings = s.settings
    wheel = Wheel(s.kernel.hz)
    timer = Retransmission(wheel, settings, path_of(s, wheel), s.rto_s, s.srtt_s)
    first = _at(s, found, "retransmission 1") or "after one RTO"
    silenced = "; keepalive is silent meanwhile" if settings.keepalive else ""
    start = f"Data is unacknowledged{silenced}. The clock starts at the first retransmission, {first}, not at the write"
    if settings.user_timeout_ms:
        return f"{start}; TCP_USER_TIMEOUT allows {amount(settings.user_timeout_ms / 1000)} from there."
    return (
        f"{start}. tcp_retries2 = {settings.retries2} is a time, not a count: {amount(timer.limit_ms / 1000)}; the "
        f"first retransmission timer after that gives up (RTO {amount(s.rto_s)}, doubling)."
    )


def _unsent(s: Situation, found: Race) -> str:
    first = _at(s, found, "attempt to send 1") or "after one RTO"
    again = "every half second" if s.effect.place == "own-queue" else "at doubling pauses"
    text = f"The data never leaves its host: it stays unsent, and is tried again {first} and then {again}"
    if s.settings.user_timeout_ms:
        return f"{text}; TCP_USER_TIMEOUT counts {amount(s.settings.user_timeout_ms / 1000)} from the first attempt."
    return f"{text}; after tcp_retries2 = {s.settings.retries2} attempts the kernel gives up."


def _zero_window(s: Situation) -> str:
    wheel = Wheel(s.kernel.hz)
    base = Persist(wheel, s.settings, path_of(s, wheel), s.rto_s).base / wheel.hz
    if s.settings.user_timeout_ms:
        return (
            f"The window is closed. TCP_USER_TIMEOUT counts {amount(s.settings.user_timeout_ms / 1000)} from the first "
            f"window probe, {amount(base)} after the window closed, whether or not the peer answers."
        )
    return (
        f"The window is closed, so keepalive has no effect. After tcp_retries2 = {s.settings.retries2} window probes "
        f"in a row without an answer ({amount(base)}, doubling) the kernel gives up."
    )


def _syn(s: Situation) -> str:
    settings = s.settings
    if settings.user_timeout_ms:
        return (
            f"No SYN is answered; TCP_USER_TIMEOUT allows {amount(settings.user_timeout_ms / 1000)} from connect(), "
            "and is looked at when a SYN is due to be sent again."
        )
    limit = model_timeout_ms(settings.syn_count, s.kernel.hz, settings.rto_max_ms * s.kernel.hz // 1000, s.kernel.hz)
    linear = f"after 1 s each for the first {settings.syn_linear} times, then " if settings.syn_linear else ""
    return (
        f"No SYN is answered. TCP_SYNCNT = {settings.syn_count} stands for {amount(limit / 1000)}; the SYN is sent "
        f"again {linear}at doubling pauses, and the first pause to end after the limit is the last."
    )


def _read_deadline(s: Situation, decided: Prediction, found: Race) -> str:
    by = "SO_RCVTIMEO, a timer of the kernel's wheel," if s.settings.deadline_by == "rcvtimeo" else "The read deadline"
    return (
        f"{by} allows {amount(s.settings.read_deadline_s or 0)} for a read, and nothing arrives; the read began "
        f"{amount(s.fault_at - (s.read_at or 0))} before the fault."
    )


def _write_deadline(s: Situation, decided: Prediction, found: Race) -> str:
    allowed = amount(s.settings.write_deadline_s or 0)
    return f"The send buffer is full and does not drain; the write deadline allows {allowed}."


def _heartbeat(s: Situation, decided: Prediction, found: Race) -> str:
    settings = s.settings
    return (
        f"The program pings every {amount(settings.heartbeat_s or 0)} and allows {settings.heartbeat_misses} "
        f"unanswered; the first of them is due {amount((s.ping_at or 0) - s.fault_at)} after the fault."
    )


def _peer(s: Situation, decided: Prediction, found: Race) -> str:
    if s.effect.peer in ("fin", "rst") and s.effect.to_survivor == "pass":
        what = "closed the connection: its FIN" if s.effect.peer == "fin" else "aborted the connection: its RST"
        return f"The peer {what} reaches the survivor at once; this is no half-open connection."
    if decided.sign == "EOF":
        return "The dead side's kernel retries its FIN, which gets through once the network is back."
    if s.traffic == "connect":
        return "The peer's host answers the SYN with RST: nobody listens there."
    who = "the peer's host, which has no such connection"
    if s.effect.to_peer == "reset":
        who = "the NAT, which has forgotten the connection"
    return f"The next packet that the survivor sends is answered with RST by {who}."


def _icmp(s: Situation, decided: Prediction, found: Race) -> str:
    if s.effect.place == "next-hop":
        return (
            "The next hop is believed for 15 s to 45 s, then asked for in vain; from then on the survivor's own host "
            "says that the peer is unreachable, so only bounds can be told."
        )
    if s.traffic == "connect":
        return (
            "The router answers every SYN with ICMP unreachable. The first answer ends connect() at once, unless it "
            "comes before connect() has let go of the socket: then it is only noted, and the one to the first repeated "
            "SYN, about 1 s later, ends it."
        )
    return (
        "The router answers with ICMP unreachable, which an established connection only notes: it becomes the error "
        "when the retransmissions time out, and it takes backoff back, so only bounds can be told."
    )


BY: dict[str, Callable[[Situation, Prediction, Race], str]] = {
    "read-deadline": _read_deadline,
    "write-deadline": _write_deadline,
    "heartbeat": _heartbeat,
    "peer": _peer,
    "icmp": _icmp,
}
