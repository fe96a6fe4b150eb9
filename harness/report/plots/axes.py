"""Which settings a heat map is drawn against: those that move the detection time most."""

from itertools import combinations
from statistics import median

import msgspec

from harness.report.facts import UNSET, Facts, is_number
from harness.store.cells import Cell

_MOST_PAIRS = 6
# To notice never is that much later than to notice last.
_NEVER = 10.0
# How a trial was run, more than what is compared: cells that differ in these share a place.
_ASIDE = frozenset({"quiet", "write-after", "limit"})


class Axes(msgspec.Struct, frozen=True, kw_only=True):
    """``across`` and ``down``: names of what varies, "" where only one does. ``apart``: a map for each of these."""

    across: str
    down: str
    apart: tuple[str, ...]


def pairs(facts: Facts) -> list[Axes]:
    """Return the pairs to draw, the most telling first; none where nothing varies."""
    telling = [name for name in facts.telling if name not in _ASIDE] or facts.telling
    names = sorted(telling, key=lambda name: -influence(facts, name))
    numbers = [name for name in names if is_number(name)]
    words = tuple(name for name in names if not is_number(name))
    if len(numbers) >= 2:
        found = [(_wider(facts, *pair), words) for pair in combinations(numbers, 2)]
    elif len(names) >= 2:
        pair = (numbers[0], words[0]) if numbers else words[:2]
        rest = tuple(name for name in names if name not in pair)
        found = [(_wider(facts, *pair), rest)]
    else:
        found = [((name, ""), ()) for name in names]
    return [Axes(across=pair[0], down=pair[1], apart=apart) for pair, apart in found[:_MOST_PAIRS]]


def influence(facts: Facts, name: str) -> float:
    """Return how far apart the detection times are for different values of ``name``: the range of their medians,
    over cells that are otherwise alike. What decides whether anything is detected at all counts for more.
    """
    alike: dict[tuple[tuple[str, str], ...], list[Cell]] = {}
    for cell in facts.cells:
        words = facts.words[cell.cell]
        key = tuple((other, words.get(other, UNSET)) for other in facts.varies if other != name)
        alike.setdefault(key, []).append(cell)
    ranges = []
    for group in alike.values():
        times = [cell.median_s for cell in group if cell.median_s is not None]
        if len(group) > 1 and times:
            ranges.append(max(times) - min(times) if len(times) == len(group) else max(times) * _NEVER)
    return median(ranges) if ranges else 0.0


def _wider(facts: Facts, one: str, other: str) -> tuple[str, str]:
    """The one with more values goes down: pages are tall."""
    return (other, one) if len(facts.varies[one]) >= len(facts.varies[other]) else (one, other)
