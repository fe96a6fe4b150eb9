"""How far an unchanged cell's error can move from one run to the next: what is less than that is no change.

The error (measured minus the exact prediction) of an unchanged trial is never much below zero, and has two parts. A
timer may run at a later tick than its own, because the CPUs' ticks are not at the same instant (docs/linux.md); a
retransmission's chain of timers may do so twice. And the program is woken a little later than the timer ran. Together
they have a tail, which both runs show: the bound is where an exponential tail, fitted to the largest tenth of all
errors (peaks over a threshold), leaves even one trial of both runs with the probability ``ALPHA``. That is a bound for
all trials at once, so nothing has to be corrected for many cells.

It is never less than two ticks, and never more than these and the lateness at which a trial disagrees with its
prediction anyway (judge.WAKE_S): many cells that became slower together cannot pass for noise.
"""

from collections.abc import Iterable
from itertools import accumulate
from math import log

from harness.verdict.judge import WAKE_S

# How often one of the trials of two unchanged runs may be outside the bound.
ALPHA = 0.001
_TICKS = 2
_WAKE_LEAST_S = 0.001
_LARGEST = 0.1
_FEWEST = 30


class Noise:
    """The bound, from the errors of both runs (seconds). With fewer than thirty it is the largest there is."""

    def __init__(self, errors: Iterable[float], hz: int) -> None:
        self._sizes = sorted((abs(error) for error in errors), reverse=True)
        self._sums = list(accumulate(self._sizes))
        self._least, self._most = _TICKS / hz + _WAKE_LEAST_S, _TICKS / hz + WAKE_S

    def bound_s(self, without: Iterable[float] = ()) -> float:
        """Return the bound for a cell; the cell's own errors are left out, or a change would hide itself."""
        own = sorted((abs(error) for error in without), reverse=True)
        return max(self._least, min(self._most, self._tail(own)))

    def _tail(self, own: list[float]) -> float:
        count = len(self._sizes) - len(own)
        if count < _FEWEST:
            return self._most
        largest = int(count * _LARGEST)
        # Those of the cell's own that are among the largest are passed over: the threshold is so many places further.
        passed = 0
        while passed < len(own) and own[passed] >= self._sizes[largest + passed]:
            passed += 1
        threshold = self._sizes[largest + passed]
        excess = (self._sums[largest + passed - 1] - sum(own[:passed])) / largest - threshold
        return threshold + excess * log(largest / ALPHA)
