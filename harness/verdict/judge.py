"""What was detected, and whether it is what the kernel's timers said.

A program learns of its kernel's timer a little later: it has to be woken and run. That lateness is the machine's, not
the kernel's, and is allowed for by ``WAKE_S``; where the kernel's own instant was seen on the wire (the RST that a
dying keepalive sends), that instant is judged, with no allowance but the fault's own uncertainty.
"""

from typing import Any

from harness.predict.situation import Prediction
from harness.verdict.record import Detection

# From the timer's firing to the program's stamp: 0.2 to 2 ms on a quiet machine, more when its two cores are busy.
WAKE_S = 0.020
# The router's stamp of a packet against the survivor's jiffy: both are the same clock, a softirq apart.
_WIRE_S = 0.001


def detected(sign: dict[str, Any], fault_at: float, healthy: bool, rst_at: float | None) -> Detection:
    """Return the detection from an endpoint's sign. ``healthy``: the connection was, or is again, alive.

    ``rst_at``: when the survivor's own kernel was seen to give up. Where the program gave up by itself that has no say:
    its kernel may do so too, a moment before or after.
    """
    after = sign["at"] / 1e9 - fault_at
    if sign["sign"] in ("deadline", "heartbeat"):
        rst_at = None
    return Detection(
        verdict="mistaken" if healthy else "detected",
        sign=sign["sign"],
        after_s=after,
        kernel_after_s=None if rst_at is None else rst_at - fault_at,
        call=sign["call"],
        then=sign.get("then"),
    )


def by(detection: Detection, prediction: Prediction, call: str | None) -> str:
    """Return which timer or detector it was, from the sign alone; the kernel's timers share ETIMEDOUT, so there the
    prediction's word is taken where it names one of them.
    """
    if detection.sign == "none":
        return "none"
    if detection.sign == "deadline":
        return "write-deadline" if call == "send" else "read-deadline"
    if detection.sign == "heartbeat":
        return "heartbeat"
    if detection.sign in ("EOF", "ECONNRESET", "EPIPE", "ECONNREFUSED"):
        return "peer"
    timer = prediction.by in ("keepalive", "user-timeout", "retries", "zero-window", "syn-retries")
    if detection.sign in ("EHOSTUNREACH", "ENETUNREACH", "EACCES"):
        # A host without a route makes the same error by itself: then a timer decided when.
        return prediction.by if timer and _same_sign(detection, prediction) else "icmp"
    if timer:
        return prediction.by
    return "syn-retries" if call == "connect" else "unknown"


def agrees(detection: Detection, prediction: Prediction, uncertainty_s: float) -> bool:
    """Return whether what was seen is what was said: verdict, sign and instant."""
    if prediction.verdict == "unknown":
        return _within(detection, prediction, uncertainty_s)
    if detection.sign == "none" and prediction.earliest_s is not None:
        return _too_soon(detection, prediction)
    if detection.verdict != prediction.verdict:
        return False
    if detection.verdict not in ("detected", "mistaken"):
        return _recovered(detection, prediction, uncertainty_s)
    return _same_sign(detection, prediction) and _within(detection, prediction, uncertainty_s)


def _too_soon(detection: Detection, prediction: Prediction) -> bool:
    """Whether nothing was seen because --limit ended the watch before anything had to be."""
    return prediction.latest_s is None or (detection.watched_s or 0.0) < prediction.latest_s


def _same_sign(detection: Detection, prediction: Prediction) -> bool:
    return detection.sign in (prediction.sign, prediction.other_sign)


def _within(detection: Detection, prediction: Prediction, uncertainty_s: float) -> bool:
    if detection.after_s is None:
        return True
    if detection.kernel_after_s is not None:
        instant, late = detection.kernel_after_s, _WIRE_S
    else:
        instant, late = detection.after_s, WAKE_S
    earliest = prediction.earliest_s if prediction.earliest_s is not None else 0.0
    if instant < earliest - uncertainty_s - _WIRE_S:
        return False
    return prediction.latest_s is None or instant <= prediction.latest_s + uncertainty_s + late


def _recovered(detection: Detection, prediction: Prediction, uncertainty_s: float) -> bool:
    if detection.recovered_after_s is None or prediction.recovery_latest_s is None:
        return True
    earliest = prediction.recovery_earliest_s or 0.0
    return (
        earliest - uncertainty_s - _WIRE_S
        <= detection.recovered_after_s
        <= prediction.recovery_latest_s + uncertainty_s + WAKE_S
    )
