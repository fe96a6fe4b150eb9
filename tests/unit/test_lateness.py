"""How late the program was, where that can be known; and which attempts do not count."""

from typing import Any

import msgspec
import pytest

from harness.verdict import lateness
from harness.verdict.record import Detection, Record
from tests.unit.examples import record as a_record


def _died(**fields: Any) -> Detection:
    return Detection(verdict="detected", sign="ETIMEDOUT", after_s=5.004, **fields)


def test_it_is_known_where_the_dying_kernel_said_so_on_the_wire() -> None:
    assert lateness.of(_died(kernel_after_s=5.0), {"at": 1}) == pytest.approx(0.004)


def test_it_is_known_where_the_deadline_was_the_program_s_own() -> None:
    sign = {"at": 2_003_000_000, "due": 2_000_000_000}
    assert lateness.of(Detection(verdict="detected", sign="deadline", after_s=2.0), sign) == pytest.approx(0.003)


def test_it_is_not_known_from_the_prediction() -> None:
    assert lateness.of(_died(), {"at": 1, "due": None}) is None
    assert lateness.of(Detection(verdict="missed"), None) is None


def test_a_reset_that_is_not_the_survivor_s_own_death_tells_nothing() -> None:
    reset = Detection(verdict="detected", sign="ECONNRESET", after_s=5.0, kernel_after_s=1.0)
    assert lateness.of(reset, {"at": 1}) is None


def _record(late_s: float | None = None, uncertainty_s: float = 0.0, complete: bool = True, **rest: Any) -> Record:
    record = a_record()
    fault = msgspec.structs.replace(record.fault, uncertainty_s=uncertainty_s)
    proof = msgspec.structs.replace(record.proof, capture_complete=complete)
    return msgspec.structs.replace(record, late_s=late_s, fault=fault, proof=proof, **rest)


def test_what_is_within_the_budget_counts() -> None:
    assert lateness.flag(_record(late_s=0.02, uncertainty_s=0.01), 0.02) is None
    assert lateness.flag(_record(), 0.02) is None


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (_record(late_s=0.021), "the program was 21 ms late; the budget is 20 ms"),
        (_record(uncertainty_s=0.015), "only known within 30 ms"),
        (_record(complete=False), "the capture lost packets"),
    ],
)
def test_what_measured_the_machine_is_flagged(record: Record, words: str) -> None:
    assert words in (lateness.flag(record, 0.02) or "")


def test_a_finding_is_never_flagged() -> None:
    assert lateness.flag(_record(agrees=False), 0.02) is None
