"""When each connection is used: gaps between uses, as shares of the time after which it is closed.

How long a connection lay idle decides everything, so that is what is drawn. Not at random: the range is cut into as
many equal parts as there are requests, and one gap is drawn from each (stratified sampling), in a shuffled order. Then
the share of gaps longer than the idle timeout is the same in every run but for one part in the number of requests, and
with it every share that follows from it. Times are seconds.
"""

import math
import random
from typing import Literal

import msgspec

Use = Literal["idle", "light", "heavy", "edge"]

# Shortest and longest gap, in idle timeouts.
RANGES: dict[Use, tuple[float, float]] = {
    "idle": (1.2, 2.0),  # always idle for longer than the server allows
    "light": (0.5, 1.5),  # now shorter, now longer: the two beat against each other
    "heavy": (0.05, 0.5),  # never idle for long
    "edge": (0.96, 1.04),  # always used just when it is closed: the race at its worst
}
# What a run of the default size takes, most of it waiting.
_TARGET_S = 40.0
_LEAST_PLACES = 2  # a second try needs another connection
MOST_PLACES = 400


class Place(msgspec.Struct, frozen=True):
    """One place of the pool: when its first connection is opened, and its requests (number, gap before it)."""

    opens_s: float
    requests: list[tuple[int, float]]


def gaps(requests: int, use: Use, idle_s: float, seed: int) -> list[float]:
    """Return as many gaps as requests, one from each equal part of the use's range, shuffled."""
    low, high = RANGES[use]
    chance = random.Random(seed)
    drawn = [(low + (high - low) * (part + chance.random()) / requests) * idle_s for part in range(requests)]
    chance.shuffle(drawn)
    return drawn


def longer_share(use: Use) -> float:
    """Return the share of gaps that are longer than the idle timeout: what a client that does not look runs into."""
    low, high = RANGES[use]
    return min(1.0, max(0.0, (high - 1.0) / (high - low)))


def mean_gap(use: Use, idle_s: float) -> float:
    low, high = RANGES[use]
    return idle_s * (low + high) / 2


def places_for(requests: int, round_s: float) -> int:
    """Return how many connections bring ``requests`` within the target, if one takes ``round_s``."""
    wanted = math.ceil(requests * round_s / _TARGET_S)
    return max(1, min(MOST_PLACES, requests, max(_LEAST_PLACES, wanted)))


def plan(requests: int, use: Use, idle_s: float, places: int, seed: int) -> list[Place]:
    """Return what each place of the pool does. Places open one after the other over the first mean gap."""
    drawn = gaps(requests, use, idle_s, seed)
    step = mean_gap(use, idle_s) / places
    return [
        Place(home * step, [(number, drawn[number]) for number in range(home, requests, places)])
        for home in range(places)
    ]


def controls(count: int, lasts_s: float) -> list[float]:
    """Return when the control requests are made: evenly over the run."""
    return [lasts_s * (number + 0.5) / count for number in range(count)]
