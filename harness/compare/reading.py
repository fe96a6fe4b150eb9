"""What one trial tells a comparison: how long it took, how long it should have taken, and what is not as it should be.

Seconds after the fault. Where a connection survives an outage, the time is the one until its data flowed again.
"""

import msgspec

from harness.verdict import judge
from harness.verdict.record import Record


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """``at_s`` None: nothing was seen, or nothing that has an instant. ``error_s``: measured minus the exact
    prediction, None where there is none that can be trusted. ``centre_s``: the middle of the predicted interval.
    ``by_chance``: not the kernel's timers decide, but which packets happen to get through.
    """

    trial: int
    verdict: str
    sign: str
    at_s: float | None
    error_s: float | None
    centre_s: float | None
    by_chance: bool
    agrees: bool
    proved: bool


def reading_of(record: Record) -> Reading:
    """Return what ``record`` tells. Whether it agrees is judged again: another version may have written it."""
    detection, prediction = record.detection, record.prediction
    at, exact = detection.after_s, prediction.exact_s
    earliest, latest = prediction.earliest_s, prediction.latest_s
    if detection.verdict == "survived" and detection.recovered_after_s is not None:
        at, exact = detection.recovered_after_s, prediction.recovery_exact_s
        earliest, latest = prediction.recovery_earliest_s, prediction.recovery_latest_s
    return Reading(
        trial=record.trial,
        verdict=detection.verdict,
        sign=detection.sign,
        at_s=at,
        error_s=None if at is None or exact is None or prediction.ambiguous else at - exact,
        centre_s=None if earliest is None or latest is None else (earliest + latest) / 2,
        by_chance=prediction.verdict == "unknown" or (earliest is not None and latest is None),
        agrees=record.agrees and judge.agrees(detection, prediction, record.fault.uncertainty_s),
        proved=record.proof.holds,
    )
