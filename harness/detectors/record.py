"""One cell of the table, as it is kept and printed. Durations are seconds."""

from typing import Any

import msgspec

from harness.detectors.base import Answer, Verdict
from harness.detectors.proof import Seen


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the state was there when the check was asked; ``missing`` says what was not."""

    holds: bool
    missing: str | None
    seen: Seen | None


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """``eaten``: bytes taken out of the stream. ``swallowed``: an error was pending, and the program's own next read no
    longer gets it. ``sent``: bytes that the kernel took from the check into the stream. ``packets``: what the asking
    end sent through the router from the question to the answer, by role; not all of it need be the check's doing.
    """

    eaten: int
    swallowed: bool
    sent: int
    packets: dict[str, int]


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    verdict: Verdict
    after_s: float
    latest_s: float
    eaten: int
    sent: int
    swallowed: bool
    why: str


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """``answer`` and ``saw``: what the check said, and why. ``then``: what the program's own reading finds after it:
    how many ``bytes``, and how they ``end``: EOF, an error's name, or none. ``agrees``: as expected, and proved.
    """

    schema: int = 1
    experiment: str = "detectors"
    check: str
    state: str
    ipv: int
    there: bool
    answer: Answer | None = None
    saw: str | None = None
    verdict: Verdict | None = None
    after_s: float | None = None
    cost: Cost | None = None
    then: dict[str, Any] = {}
    expected: Expected
    differs: list[str] = []
    agrees: bool = False
    proof: Proof
    kernel: str = ""
