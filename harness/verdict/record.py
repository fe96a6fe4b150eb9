"""The record: one JSON object per trial. Field names are a contract (docs/record.md); fields may be added.

Durations are seconds unless the name says otherwise; ``after_s`` counts from the instant the fault was in force.
"""

from typing import Any

import msgspec

from harness.predict.situation import Prediction, Step
from harness.spec.settings import Settings

SCHEMA = 1


class FaultPart(msgspec.Struct, kw_only=True):
    """``uncertainty_s``: half the bracket between the stamps before and after the injection."""

    kind: str
    where: str
    quiet_s: float | None
    uncertainty_s: float
    healed_after_s: float | None = None
    options: dict[str, Any] = {}


class Detection(msgspec.Struct, kw_only=True):
    """``kernel_after_s``: when the kernel itself gave up, seen from outside the program: its RST.

    ``watched_s``: for how long nothing was seen. ``recovered_after_s``: data got through again after an outage.
    ``call`` is the call that brought the sign, ``then`` what the next read said.
    """

    verdict: str
    sign: str = "none"
    by: str = "none"
    after_s: float | None = None
    kernel_after_s: float | None = None
    watched_s: float | None = None
    recovered_after_s: float | None = None
    call: str | None = None
    then: str | None = None


class Proof(msgspec.Struct, kw_only=True):
    """``holds``: the evidence shows what the fault claims; ``missing`` says what it does not show."""

    half_open: bool
    holds: bool
    claim: str
    survivor_state: str | None
    peer: str
    to_survivor_after_fault: int
    dropped_packets: int
    timer: str | None
    probes_seen: int
    retransmissions_seen: int = 0
    peer_state: str | None = None
    missing: str | None = None
    capture_complete: bool = True


class Record(msgspec.Struct, kw_only=True):
    """One trial, whole. ``seen``: the packets after the fault that matter, to be held against prediction.steps.

    ``cell``: the text that all repeats share (spec/cell.py). ``attempt``: 0, and one more each time that the trial was
    run again. ``late_s``: how long after the kernel's instant, or the program's own deadline, the program's stamp came,
    where that can be known. ``flagged``: why this attempt does not count; it stays and is not averaged in.
    """

    experiment: str
    trial: int
    settings: Settings
    traffic: str
    survivor: str
    ipv: int
    lab: dict[str, Any]
    fault: FaultPart
    detection: Detection
    prediction: Prediction
    agrees: bool
    proof: Proof
    seen: list[Step] = []
    why: str = ""
    warnings: list[str] = []
    cell: str = ""
    attempt: int = 0
    late_s: float | None = None
    flagged: str | None = None
    schema: int = SCHEMA
