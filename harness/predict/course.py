"""The engine under every timer: follow what may happen, step by step, until each course has ended.

A step takes a state and returns what may come of it: one thing when everything is determined, several when an unknown
phase of the timer wheel leaves a decision open. States that differ only in their instants are joined, so the number
of courses stays small; the number of steps is bounded.
"""

from collections.abc import Callable, Hashable
from typing import Literal

import msgspec

from harness.predict.path import Reply
from harness.predict.wheel import Moment

Fate = Literal["died", "reset", "recovered", "kept", "silenced", "chance", "icmp", "endless"]
FATE_OF: dict[Reply, Fate] = {"ack": "recovered", "rst": "reset", "icmp": "icmp", "chance": "chance"}

Trace = dict[str, tuple[int, int]]


class State(msgspec.Struct, frozen=True):
    """``key``: everything that is not an instant. ``now``: when the pending timer runs."""

    key: tuple[int, ...]
    now: Moment


class Ending(msgspec.Struct, frozen=True):
    """One way in which the kernel's part of the story ends, and when.

    "chance" is where it may end because a packet happens to get through; the course goes on as if none did.
    """

    fate: Fate
    when: Moment


class Course(msgspec.Struct):
    """How it may end, and when each thing on the way happens: {what: (earliest tick, latest tick)}.

    ``close``: a timer found the limit a tick away, so that it would have ended the course had it run a tick late.
    """

    endings: list[Ending]
    trace: Trace
    close: bool = False

    def note(self, what: str, when: Moment) -> None:
        lo, hi = self.trace.get(what, (when.lo, when.hi))
        self.trace[what] = (min(lo, when.lo), max(hi, when.hi))

    def end(self, fate: Fate, when: Moment) -> None:
        for number, ending in enumerate(self.endings):
            if ending.fate == fate:
                self.endings[number] = Ending(fate, ending.when.joined(when))
                return
        self.endings.append(Ending(fate, when))

    def ending(self, fate: Fate) -> Moment | None:
        return next((ending.when for ending in self.endings if ending.fate == fate), None)

    @property
    def fates(self) -> set[Fate]:
        return {ending.fate for ending in self.endings}


def follow(start: list[State], step: Callable[[State, Course], list[State]], steps: int) -> Course:
    """Take steps until nothing is pending. What is still pending after ``steps`` ends "endless"."""
    course = Course([], {})
    pending = start
    for _ in range(steps):
        following: dict[Hashable, State] = {}
        for state in pending:
            for result in step(state, course):
                same = following.get(result.key)
                following[result.key] = result if same is None else State(result.key, same.now.joined(result.now))
        if not following:
            return course
        pending = list(following.values())
    for state in pending:
        course.end("endless", state.now)
    return course
