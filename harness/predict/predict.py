"""The prediction: who notices first, when, and what that makes of it.

Pure: no socket, no clock; microseconds to milliseconds. The same simulation is run twice: over every phase of the jiffy
clock, which gives the interval, and at the calibrated phase, which gives the instant.
"""

import msgspec

from harness.predict import race, words
from harness.predict.edges import on_an_edge
from harness.predict.finding import Finding
from harness.predict.path import path_of, reply_after
from harness.predict.situation import Effect, Prediction, Situation
from harness.predict.warn import warnings
from harness.predict.wheel import Wheel


def predict(situation: Situation) -> Prediction:
    """Return what Linux's timers, and the survivor's own deadlines, make of ``situation``. Times: s after the fault."""
    asked = situation
    if race.holds_mapping(asked):
        situation = msgspec.structs.replace(asked, effect=Effect(), mapping_expires_at=None)
    found = race.run(situation)
    decided = _decide(situation, found)
    close = found.fine is not None and found.fine.close
    if decided.exact_s is not None and (close or on_an_edge(situation, decided, lambda s: _decide(s, race.run(s)))):
        decided = msgspec.structs.replace(decided, ambiguous=True)
    return msgspec.structs.replace(
        decided,
        why=words.why(asked, found, decided),
        steps=words.steps(situation, found, decided),
        warnings=warnings(situation),
    )


def _decide(s: Situation, found: race.Race) -> Prediction:
    """Everything but the words."""
    running = _relevant(found.findings)
    if not running:
        return _nobody(s, found)
    sure = [finding for finding in running if finding.sure]
    first = _first(running)
    low = min(finding.lo for finding in running)
    highs = [finding.hi for finding in sure if finding.hi is not None]
    exact = first.exact if all(f is first or f.exact is not None for f in running) else None
    close = [f for f in running if f is not first and f.exact is not None and exact is not None]
    return Prediction(
        verdict=("detected" if _is_gone(s) else "mistaken") if sure else "unknown",
        sign=first.sign,
        other_sign=race.other_sign(s, first),
        by=first.by,
        earliest_s=_after(s, low),
        latest_s=_after(s, min(highs)) if highs else None,
        exact_s=None if exact is None or not sure else _after(s, exact),
        ambiguous=any(f.by != first.by and abs((f.exact or 0) - (exact or 0)) <= 1 / s.kernel.hz for f in close)
        or (exact is None and len({f.by for f in running}) > 1),
    )


def _relevant(findings: list[Finding]) -> list[Finding]:
    """Leave out whoever certainly comes after another."""
    ends = [f.exact if f.exact is not None else f.hi for f in findings if f.sure]
    end = min((at for at in ends if at is not None), default=None)
    return [f for f in findings if end is None or (f.exact if f.exact is not None else f.lo) <= end]


def _first(running: list[Finding]) -> Finding:
    """Whoever is earliest, as far as can be told."""
    return min(running, key=lambda f: (f.exact if f.exact is not None else f.lo, not f.sure))


def _nobody(s: Situation, found: race.Race) -> Prediction:
    if _is_gone(s):
        return Prediction(verdict="missed")
    if found.recovery is None:
        return Prediction(verdict="survived")
    low, high, exact = found.recovery
    return Prediction(
        verdict="survived",
        recovery_earliest_s=_after(s, low),
        recovery_latest_s=_after(s, high),
        recovery_exact_s=None if exact is None else _after(s, exact),
    )


def _is_gone(s: Situation) -> bool:
    """Whether the connection is of no more use: its peer has gone, or the path to it has, for good."""
    effect = s.effect
    if reply_after(effect) != "ack":
        return True
    if effect.heals_after_s is not None:
        return False
    if effect.peer == "hung":
        return True
    wheel = Wheel(s.kernel.hz)
    full = effect.to_peer == "big-drop" and s.traffic in ("write", "stream")
    return path_of(s, wheel, full=full).during not in ("ack", "chance")


def _after(s: Situation, at: float) -> float:
    return round(at - s.fault_at, 9)
