"""Axes: from seconds to pixels, linear or logarithmic, with ticks at round numbers."""

import math

import msgspec

_STEPS = (1.0, 2.0, 5.0, 10.0)
# From this ratio on, short and long times do not fit one linear axis.
_WIDE = 30.0
# Nothing is noticed sooner: what says it is stands at the edge.
_INSTANT_S = 1e-6


class Scale(msgspec.Struct, frozen=True, kw_only=True):
    """``low`` is at ``start``, ``high`` at ``stop``."""

    low: float
    high: float
    start: float
    stop: float
    log: bool = False

    def at(self, value: float) -> float:
        """Return where ``value`` is; what lies outside is put on the edge."""
        value = min(max(value, self.low), self.high)
        if self.log:
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return self.start + share * (self.stop - self.start)

    def ticks(self, most: int) -> list[float]:
        """Return round values on the axis, about ``most`` at most."""
        if self.log:
            found = _log_ticks(self.low, self.high, (1.0, 2.0, 5.0))
            if len(found) <= most:
                return found
            found = _log_ticks(self.low, self.high, (1.0,))
            return found[:: math.ceil(len(found) / most)]
        step = _step((self.high - self.low) / max(1, most))
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [round(n * step, 9) for n in range(first, last + 1)]


def scale_for(values: list[float], start: float, stop: float, log: bool | None = None) -> Scale:
    """Return a scale that holds all ``values`` with a little room; ``log`` None: where they are far apart."""
    low, high = min(values), max(values)
    if 0 < low < _INSTANT_S < high:
        low = _INSTANT_S
    wide = low > 0 and high / low > _WIDE if log is None else log and low > 0
    if wide:
        return Scale(low=low / 1.15, high=high * 1.15, start=start, stop=stop, log=True)
    room = (high - low) * 0.04 or max(abs(high) * 0.02, 0.001)
    bottom = low - room if low < 0 or low > room else 0.0
    return Scale(low=bottom, high=high + room, start=start, stop=stop)


def short(seconds: float) -> str:
    """Return a time in three figures, for a plot's cell or tick: 4.85 s, 130 ms, 7.8 min."""
    size = abs(seconds)
    for over, by, unit in ((3599.5, 3600, "h"), (599.5, 60, "min"), (0.9995, 1, "s")):
        if size >= over:
            return f"{seconds / by:.3g} {unit}"
    return f"{seconds * 1000:.3g} ms" if size >= 0.0005 else (f"{seconds * 1e6:.0f} µs" if seconds else "0")


def _step(rough: float) -> float:
    power = 10.0 ** math.floor(math.log10(rough))
    return next(step * power for step in _STEPS if step * power >= rough * (1 - 1e-9))


def _log_ticks(low: float, high: float, steps: tuple[float, ...]) -> list[float]:
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [step * 10.0**p for p in powers for step in steps if low <= step * 10.0**p <= high]
