"""What one trial tells a comparison: how long it took, how long it should have taken, and what is not as it should be.

Seconds after the fault. Where a connection survives an outage, the time is the one until its data flowed again.
"""

import msgspec

from harness.verdict import judge
from harness.verdict.record import Record


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """``at_s`` None: nothing was seen, or nothing that has an instant. ``error_s``: measured minus the exact
    prediction, None where there is none that can be trusted. ``centre_s``: the middle of the predicted interval.
    ``by_chance``: not the kernel's timers decide, but which packets happen to get through. ``agrees``: it is as
    predicted; where nothing but its time is not, ``outside_s`` is how far that is from the predicted interval.
    """

    trial: int
    verdict: str
    sign: str
    at_s: float | None
    error_s: float | None
    centre_s: float | None
    by_chance: bool
    agrees: bool
    outside_s: float | None
    proved: bool
    lateness_known: bool


def reading_of(record: Record) -> Reading:
    """Return what ``record`` tells. Whether it agrees is judged again: another version may have written it."""
    detection, prediction = record.detection, record.prediction
    at, exact = _kernels(record), prediction.exact_s
    earliest, latest = prediction.earliest_s, prediction.latest_s
    if detection.verdict == "survived" and detection.recovered_after_s is not None:
        at, exact = detection.recovered_after_s, prediction.recovery_exact_s
        earliest, latest = prediction.recovery_earliest_s, prediction.recovery_latest_s
    agrees = record.agrees and judge.agrees(detection, prediction, record.fault.uncertainty_s)
    same = detection.verdict == prediction.verdict and detection.sign in (prediction.sign, prediction.other_sign)
    return Reading(
        trial=record.trial,
        verdict=detection.verdict,
        sign=detection.sign,
        at_s=at,
        error_s=None if at is None or exact is None or prediction.ambiguous else at - exact,
        centre_s=None if earliest is None or latest is None else (earliest + latest) / 2,
        by_chance=prediction.verdict == "unknown" or (earliest is not None and latest is None),
        agrees=agrees,
        outside_s=_outside(at, earliest, latest) if same and not agrees else None,
        proved=record.proof.holds,
        lateness_known=record.late_s is not None,
    )


def _kernels(record: Record) -> float | None:
    """The instant without what is known of the program's own lateness: that is the machine's load, not a change."""
    after, late = record.detection.after_s, record.late_s
    return after if after is None or late is None else after - max(0.0, late)


def _outside(at: float | None, earliest: float | None, latest: float | None) -> float | None:
    """How far an instant is from an interval; None where it is within, so that something else must be wrong."""
    if at is None:
        return None
    early = 0.0 if earliest is None else earliest - at
    late = 0.0 if latest is None else at - latest
    return max(early, late, 0.0) or None
