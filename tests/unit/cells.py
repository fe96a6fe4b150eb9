"""Cells of the detectors' table as if they had been measured."""

from harness.detectors.base import Expect
from harness.detectors.cell import expected, judged
from harness.detectors.record import Cell, Proof
from harness.detectors.states import STATES

PROVED = Proof(holds=True, missing=None, seen=None)
SAID = {
    "before": 0,
    "after": 20_000,
    "answer": "gone",
    "saw": "EOF",
    "pending": 0,
    "eaten": 0,
    "sent": 0,
    "error_pending": False,
    "then": {"bytes": 0, "end": "EOF"},
}
EXPECT = Expect("fin", "right", "because")


def judge(state="fin", expect=EXPECT, proof=PROVED, **said):
    cell = Cell(check="peek", state=state, ipv=4, there=STATES[state].there, expected=expected(expect), proof=PROVED)
    return judged(cell, STATES[state], expect, SAID | said, {}, proof)
