"""The cells in which chance decides: whether their verdicts or their times are others, asked of all of them at once.

Two trials of such a cell are never alike, so nothing can be said from a few: with fewer than about ten a side, no
difference is certain enough, and these cells stay silent.
"""

from statistics import median

from harness.compare.change import Change
from harness.compare.exact import holm, ranks, shares
from harness.compare.noise import ALPHA
from harness.compare.pair import Pair
from harness.compare.reading import Reading
from harness.compare.verdicts import bad


def by_chance(pairs: list[Pair], threshold: float) -> list[Change]:
    """Return what is certain, with ``ALPHA`` for even one false alarm, and matters."""
    asked = [asked for pair in pairs for asked in (_verdicts(pair), *_times(pair))]
    stands = holm([probability for probability, _ in asked], ALPHA)
    found = [change for (_, change), stand in zip(asked, stands, strict=True) if stand]
    return [change for change in found if change.shift_s is None or abs(change.share or 0.0) > threshold]


def _verdicts(pair: Pair) -> tuple[float, Change]:
    before, after = (_bad_of(side) for side in (pair.before, pair.after))
    why = f"{after[0]} of {after[1]} trials missed or mistaken; before, {before[0]} of {before[1]}"
    if after[0] * before[1] > before[0] * after[1]:
        return shares(*before, *after), pair.change("mistaken", "regression", why)
    return shares(*before, *after), pair.change("survived", "improvement", why)


def _times(pair: Pair) -> list[tuple[float, Change]]:
    before, after = ([each.at_s for each in side if each.at_s is not None] for side in (pair.before, pair.after))
    if not before or not after:
        return []
    shift = median(after) - median(before)
    why = f"the median of {len(after)} times; chance decides in this cell, but not so much"
    if shift > 0:
        return [(ranks(before, after), pair.change("slower", "regression", why, shift))]
    return [(ranks(before, after), pair.change("faster", "improvement", why, shift))]


def _bad_of(readings: list[Reading]) -> tuple[int, int]:
    return bad(readings), len(readings)
