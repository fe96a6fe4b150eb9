"""What a detector is: a check of the endpoint program (endpoints/checks.py), with what is expected of it where."""

from typing import Literal

import msgspec

Verdict = Literal["right", "wrong", "blind"]
Answer = Literal["alive", "gone", "unsure"]

# From an instant to the stamp after it: a check that never waits makes one or two system calls, but the process that
# makes them may have to wait for its processor.
LATE_S = 0.05


class Expect(msgspec.Struct, frozen=True):
    """What is expected in ``states`` (names, with spaces between), and ``why``.

    ``after_s``: from the question to the answer, at least; ``within_s``: at most (None: LATE_S later).
    ``eaten``: bytes taken out of the stream; ``sent``: bytes put into it; ``swallowed``: whether the pending error is
    taken, so that the program's own next read does not get it.
    """

    states: str
    verdict: Verdict
    why: str
    after_s: float = 0.0
    within_s: float | None = None
    eaten: int = 0
    sent: int = 0
    swallowed: bool = False

    @property
    def latest_s(self) -> float:
        return (self.after_s if self.within_s is None else self.within_s) + LATE_S


class Detector(msgspec.Struct, frozen=True, kw_only=True):
    """``name`` is the check's; ``title`` says what it does; ``seen_in``: which of the documents it is from."""

    name: str
    title: str
    seen_in: str
    expects: tuple[Expect, ...]

    def expect(self, state: str) -> Expect:
        """Return what is expected in ``state``."""
        return next(expect for expect in self.expects if state in expect.states.split())

    @property
    def longest_s(self) -> float:
        """How long its longest cell takes."""
        return max(expect.latest_s for expect in self.expects)


def verdict(answer: Answer, there: bool) -> Verdict:
    """Judge an answer: ``there`` is what is true."""
    if answer == "unsure" or (answer == "alive" and not there):
        return "blind"
    return "right" if there == (answer == "alive") else "wrong"
