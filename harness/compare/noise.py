"""How far an unchanged cell's error can move from one run to the next: what is less than that is no change.

The error (measured minus the exact prediction) of an unchanged trial is never much below zero, and has two parts. A
timer may run at a later tick than its own, because the CPUs' ticks are not at the same instant (docs/linux.md); a
retransmission's chain of timers may do so twice. And the program is woken a little later than the timer ran. Together
they have a tail, which both runs show: the bound is where an exponential tail, fitted to the largest tenth of all
errors (peaks over a threshold), leaves even one trial of both runs with the probability ``ALPHA``. That is a bound for
all trials at once, so nothing has to be corrected for many cells.

That is what one trial does that nothing happened to. A machine that others use as well stands still now and then, for
up to ``STALL_S``, and whichever timer is due then runs late, or an earlier step of its chain did: one trial in some 300
at a load of 3.4 on two CPUs. No fit to the others foretells it. Three trials of a cell have a median that it does not
reach; of fewer, the bound is never less than a stall. Where the program's own lateness is known (``late_s``: from the
kernel's RST, from its own deadline) it is taken out before, and no stall was seen in what is left.

It is never less than two ticks and a millisecond, and what is a tenth of a second late is no wake any more: such errors
are left out of the fit, and the bound ends there. Where more than one cell in twenty moved by more than a late wake
usually explains (judge.WAKE_S), the bound ends already there: so many cells that became slower together are no tail.
"""

from collections.abc import Iterable, Sequence
from itertools import accumulate
from math import log

from harness.verdict.judge import WAKE_S

# How often one of the trials of two unchanged runs may be outside the bound.
ALPHA = 0.001
_TICKS = 2
_WAKE_LEAST_S, WAKE_MOST_S = 0.001, 0.1
STALL_S = 0.07
# So many trials have a median that one of them does not move.
STEADY = 3
_LARGEST, _FEWEST, _TOGETHER = 0.1, 30, 0.05


class Noise:
    """The bound, from the errors of both runs, and from how far each cell moved between them (``shifts``); seconds.

    With fewer than thirty errors nothing is known of their tail: then it is ``usual_s``, two ticks and WAKE_S.
    """

    def __init__(self, errors: Iterable[float], shifts: Iterable[float], hz: int) -> None:
        self._sizes = sorted((abs(error) for error in errors if abs(error) <= WAKE_MOST_S), reverse=True)
        self._sums = list(accumulate(self._sizes))
        self._least, self.usual_s = _TICKS / hz + _WAKE_LEAST_S, _TICKS / hz + WAKE_S
        moved = [abs(shift) > self.usual_s for shift in shifts]
        self._most = self.usual_s if sum(moved) > _TOGETHER * len(moved) else WAKE_MOST_S

    def bound_s(self, *own: Sequence[float], steady: bool = True) -> float:
        """Return the bound for a cell with its ``own`` errors, which are left out: a change would hide itself.

        ``steady``: it has trials enough, in both runs, that a stall in one of them does not matter.
        """
        without = sorted((abs(error) for side in own for error in side if abs(error) <= WAKE_MOST_S), reverse=True)
        bound = max(self._least, min(self._most, self._tail(without)))
        return bound if steady else max(bound, STALL_S)

    def _tail(self, own: list[float]) -> float:
        count = len(self._sizes) - len(own)
        if count < _FEWEST:
            return self.usual_s
        largest = int(count * _LARGEST)
        # Those of the cell's own that are among the largest are passed over: the threshold is so many places further.
        passed = 0
        while passed < len(own) and own[passed] >= self._sizes[largest + passed]:
            passed += 1
        threshold = self._sizes[largest + passed]
        excess = (self._sums[largest + passed - 1] - sum(own[:passed])) / largest - threshold
        return threshold + excess * log(largest / ALPHA)
