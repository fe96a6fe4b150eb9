"""Whether a cell takes longer than it did, where its prediction is exact.

How long it takes depends on where the jiffy clock stands and how long the connection had been quiet: an unchanged
cell moves by up to a quarter. Both are in each trial's own exact prediction, so what is compared is the error: measured
minus predicted. Its median must move by more than noise (``Noise``) and by more than what was said to matter; or single
trials must, where the earlier run had none such.
"""

from collections.abc import Iterator
from statistics import median
from typing import Any

import msgspec

from harness.compare.change import Change, Kind
from harness.compare.noise import WAKE_MOST_S, Noise
from harness.compare.pair import Pair
from harness.units import format_duration


def times(pair: Pair, noise: Noise, threshold: float) -> Iterator[Change]:
    """Yield the change of the cell's time, if there is one. ``threshold``: the part of it that matters."""
    if pair.by_chance:
        return
    other = _other_settings(pair)
    if other:
        yield _by_settings(pair, other, noise, threshold)
    elif pair.errors[0]:
        yield from _by_errors(pair, noise, threshold)


def allowed_s(pair: Pair, bound_s: float, threshold: float) -> float:
    """Return how far a cell may move without being called: noise, what does not matter, its own spread before."""
    errors = pair.errors[0]
    spread = max(errors) - min(errors) if errors else 0.0
    return max(bound_s, threshold * (pair.sides[0].median_s or 0.0), spread)


def _by_errors(pair: Pair, noise: Noise, threshold: float) -> Iterator[Change]:
    before, after = pair.errors
    bound = noise.bound_s(before, after, steady=pair.steady)
    allowed = allowed_s(pair, bound, threshold)
    usual = median(before)
    shift = pair.shift_s
    far = _far(after, usual, allowed)
    if abs(shift) > allowed:
        yield _moved(pair, shift, bound, f"{_by(shift, pair)} against its prediction")
    elif far:
        worst = max(far, key=lambda error: abs(error - usual)) - usual
        yield _moved(pair, worst, bound, f"{_by(worst, pair)} in {len(far)} of {len(after)} trials, the others are not")
    elif pair.steady and abs(shift) > max(bound, noise.usual_s, max(before) - min(before)):
        why = f"{_by(shift, pair)} against its prediction: more than noise, less than matters"
        yield pair.change("drift", "note", why, shift, bound)


def _far(after: list[float], usual: float, allowed: float) -> list[float]:
    """Return the errors of single trials that moved; of one alone it must be more than any stall."""
    far = [error for error in after if abs(error - usual) > allowed]
    return far if len(far) > 1 else [error for error in far if abs(error - usual) > WAKE_MOST_S]


def _by_settings(pair: Pair, other: str, noise: Noise, threshold: float) -> Change:
    """Other settings on the socket, under the same name: nothing in an unchanged run does that."""
    bound = noise.bound_s(steady=pair.steady)
    shift = pair.predicted_s if pair.predicted_s is not None else pair.moved_s
    if shift is not None:
        shift += pair.shift_s
    if shift is None or abs(shift) <= allowed_s(pair, bound, threshold):
        return pair.change("settings", "note", f"read back from the socket: {other}", shift, bound)
    return _moved(pair, shift, bound, f"{_by(shift, pair)}; read back from the socket: {other}")


def _moved(pair: Pair, shift: float, bound: float, why: str) -> Change:
    kind: Kind = "slower" if shift > 0 else "faster"
    # A living connection that is given up sooner is worse off.
    mistaken = all(each.verdict == "mistaken" for each in pair.after)
    worse = (shift > 0) != mistaken
    return pair.change(kind, "regression" if worse else "improvement", why, shift, bound)


def _by(shift: float, pair: Pair) -> str:
    usual = pair.sides[0].median_s
    part = f" ({shift / usual:+.1%})" if usual else ""
    return f"{format_duration(abs(shift))} {'later' if shift > 0 else 'sooner'}{part}"


def _other_settings(pair: Pair) -> str:
    """Return what is not as it was on the socket: "interval_s 20, before 10"; empty where all is."""
    before, after = (msgspec.to_builtins(settings) for settings in pair.settings)
    return ", ".join(_said(name, before[name], value) for name, value in after.items() if value != before[name])


def _said(name: str, before: Any, after: Any) -> str:
    return f"{name} {after}, before {before}"
