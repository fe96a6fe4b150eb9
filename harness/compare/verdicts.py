"""What was detected and is missed now, what disagrees with its prediction now: everything but the times.

A cell in which chance does not decide has the same verdict every night: a single trial with a new one is a change.
"""

from collections.abc import Iterator

from harness.compare.change import Change, Kind
from harness.compare.noise import Noise
from harness.compare.pair import Pair
from harness.compare.reading import Reading

BAD: tuple[Kind, ...] = ("missed", "mistaken", "unknown")


def verdicts(pair: Pair, noise: Noise) -> Iterator[Change]:
    """Yield what changed for the worse, or the better, beside the time."""
    yield from _disagreements(pair, noise.bound_s(*pair.errors, steady=pair.steady))
    yield from _proofs(pair)
    if not pair.by_chance:
        yield from _verdicts(pair)
        yield from _signs(pair)


def bad(readings: list[Reading]) -> int:
    """Return how many trials have a verdict that nobody wants."""
    return sum(each.verdict in BAD for each in readings)


def _disagreements(pair: Pair, bound_s: float) -> Iterator[Change]:
    """A time that is out of its interval by no more than noise is a busy machine's, in whichever run it is."""
    before, after = (sum(_disagrees(each, bound_s) for each in side) for side in (pair.before, pair.after))
    if after and not before:
        yield pair.change("disagrees", "regression", f"{_of(after, pair.after)} no longer as predicted")
    elif before and not after:
        yield pair.change("agrees", "improvement", f"as predicted; before, {_of(before, pair.before)} not")


def _disagrees(reading: Reading, bound_s: float) -> bool:
    return not reading.agrees and (reading.outside_s is None or reading.outside_s > bound_s)


def _proofs(pair: Pair) -> Iterator[Change]:
    before, after = (sum(not each.proved for each in side) for side in (pair.before, pair.after))
    if after and not before:
        yield pair.change("unproved", "regression", f"{_of(after, pair.after)} no longer proved")
    elif before and not after:
        yield pair.change("proved", "improvement", f"proved; before, {_of(before, pair.before)} not")


def _verdicts(pair: Pair) -> Iterator[Change]:
    had, has = ({each.verdict for each in side} for side in (pair.before, pair.after))
    usual = " or ".join(sorted(had))
    fresh = [kind for kind in BAD if kind in has - had]
    for kind in fresh:
        count = sum(each.verdict == kind for each in pair.after)
        yield pair.change(kind, "regression", f"{_of(count, pair.after)} {kind}; before, {usual}")
    if not fresh and bad(pair.before) and not bad(pair.after):
        good: Kind = "detected" if "detected" in has else "survived"
        yield pair.change(good, "improvement", f"{good}; before, {_of(bad(pair.before), pair.before)} {usual}")


def _signs(pair: Pair) -> Iterator[Change]:
    had, has = ({each.sign for each in side} for side in (pair.before, pair.after))
    same = {each.verdict for each in pair.before} == {each.verdict for each in pair.after}
    if same and not had & has:
        yield pair.change("sign", "note", f"{' or '.join(sorted(has))}; before, {' or '.join(sorted(had))}")


def _of(count: int, readings: list[Reading]) -> str:
    return f"{count} of {len(readings)} {'trial' if len(readings) == 1 else 'trials'}"
