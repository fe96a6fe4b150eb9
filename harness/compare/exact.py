"""Exact tests for cells in which chance decides, and the correction for many of them.

Few trials each, so no approximation and no library: hypergeometric counts for shares (Fisher), ranks counted in full
for times (Mann and Whitney, 1947; ties get the middle rank), and Holm's (1979) step-down correction.
"""

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from math import comb


def shares(first: int, of_first: int, second: int, of_second: int) -> float:
    """Return the probability that two equal shares differ as much as ``first``/``of_first`` and the second do."""
    marked, total = first + second, of_first + of_second
    ways = [
        comb(marked, k) * comb(total - marked, of_first - k)
        for k in range(max(0, marked - of_second), min(marked, of_first) + 1)
    ]
    seen = comb(marked, first) * comb(total - marked, of_first - first)
    return sum(way for way in ways if way <= seen) / comb(total, of_first)


def ranks(first: Sequence[float], second: Sequence[float]) -> float:
    """Return the probability that two samples of one distribution differ in rank as much as these do, either way.

    Exact by counting, with ties; up to some hundred values, beyond which the counting is thinned evenly.
    """
    first, second = _thin(first), _thin(second)
    if not first or not second:
        return 1.0
    doubled = _doubled_ranks([*first, *second])
    seen = sum(doubled[: len(first)])
    counts = _sums(tuple(sorted(doubled)), len(first))
    middle = len(first) * (len(doubled) + 1)
    far = abs(seen - middle)
    return sum(ways for total, ways in counts.items() if abs(total - middle) >= far) / comb(len(doubled), len(first))


def holm(probabilities: Sequence[float], alpha: float) -> list[bool]:
    """Return which of them stand when all are asked at once, with ``alpha`` for even one false alarm."""
    order = sorted(range(len(probabilities)), key=probabilities.__getitem__)
    stands = [False] * len(probabilities)
    for rank, index in enumerate(order):
        if probabilities[index] > alpha / (len(probabilities) - rank):
            break
        stands[index] = True
    return stands


def _doubled_ranks(values: list[float]) -> list[int]:
    """Twice the rank of each, so that the middle rank of ties is a whole number."""
    place: dict[float, int] = {}
    below = 0
    for value, count in sorted(Counter(values).items()):
        place[value] = 2 * below + count + 1
        below += count
    return [place[value] for value in values]


@lru_cache(maxsize=64)
def _sums(ranks: tuple[int, ...], size: int) -> Counter[int]:
    """In how many ways ``size`` of the ranks have each sum."""
    ways: list[Counter[int]] = [Counter({0: 1}), *(Counter() for _ in range(size))]
    for rank in ranks:
        for chosen in range(size, 0, -1):
            for total, count in ways[chosen - 1].items():
                ways[chosen][total + rank] += count
    return ways[size]


def _thin(values: Sequence[float], most: int = 30) -> list[float]:
    """Every so-and-so-many-th of the sorted values, where there are more than can be counted quickly."""
    if len(values) <= most:
        return list(values)
    ordered = sorted(values)
    return [ordered[int(n * len(values) / most)] for n in range(most)]
