"""How late the program was: from the kernel's instant, or from its own deadline, to its stamp.

That time is the machine's and not the kernel's timers': a machine with too much to do adds it to every detection time.
Where it is beyond a budget, or where the fault's own instant is known no better than that, the attempt measured the
machine and is flagged. A difference from the prediction is no lateness: it is a finding, and is never flagged.
"""

from typing import Any

from harness.units import format_duration
from harness.verdict.judge import WAKE_S
from harness.verdict.record import Detection, Record

BUDGET_S = WAKE_S


def of(detection: Detection, sign: dict[str, Any] | None) -> float | None:
    """Return the lateness in seconds, None where nothing tells of it: no sign, or one whose instant nobody else saw."""
    if sign is None or detection.after_s is None:
        return None
    if sign.get("due") is not None:
        return float(sign["at"] - sign["due"]) / 1e9
    # The RST of a dying connection is only its death where the program saw that death.
    if detection.kernel_after_s is not None and detection.sign == "ETIMEDOUT":
        return detection.after_s - detection.kernel_after_s
    return None


def flag(record: Record, budget_s: float = BUDGET_S) -> str | None:
    """Return why an attempt does not count; None: it does."""
    if record.late_s is not None and record.late_s > budget_s:
        return f"the program was {format_duration(record.late_s)} late; the budget is {format_duration(budget_s)}"
    if 2 * record.fault.uncertainty_s > budget_s:
        within = format_duration(2 * record.fault.uncertainty_s)
        return f"the fault's instant is only known within {within}; the budget is {format_duration(budget_s)}"
    if not record.proof.capture_complete:
        return "the capture lost packets"
    return None
