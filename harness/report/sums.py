"""The sentence that sums a run up, and the short texts of its cells: the same in the page, Markdown and JUnit."""

from collections import Counter
from statistics import median

from harness.report.facts import Facts
from harness.store.cells import Cell
from harness.units import format_duration
from harness.verdict.record import Record


def sentence(facts: Facts) -> str:
    """Return the run in a few sentences: how much was run, what came of it, how far from the prediction."""
    cells = facts.cells
    verdicts: Counter[str] = Counter()
    for cell in cells:
        verdicts.update(cell.verdicts)
    trials = sum(cell.trials for cell in cells)
    seen = ", ".join(f"{count} {verdict}" for verdict, count in verdicts.most_common())
    counted = f"{many(trials, 'trial')} of {many(len(cells), 'cell')}: {seen}." if trials else "No trial counts."
    return " ".join(filter(None, (counted, _trust(cells), _times(cells), _errors(cells))))


def is_good(facts: Facts) -> bool:
    """Whether every cell was proved and is as predicted."""
    return all(cell.agrees and cell.proved for cell in facts.cells)


def many(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def percentile(values: list[float], share: float) -> float:
    """Return the value that ``share`` of all ``values`` do not exceed (nearest rank). Needs at least one."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -int(-share * len(ordered) // 1) - 1))]


def milliseconds(seconds: float) -> str:
    """Return a deviation with its sign, to the hundredth of a millisecond."""
    return f"{seconds * 1000:+.2f} ms"


def verdict(cell: Cell) -> str:
    """Return what became of the cell's trials: one word where they are alike."""
    if not cell.verdicts:
        return "flagged"
    if len(cell.verdicts) == 1:
        return next(iter(cell.verdicts))
    return ", ".join(f"{count} {word}" for word, count in sorted(cell.verdicts.items()))


def sign(cell: Cell) -> str:
    """Return the signs and what was behind them: "ETIMEDOUT by keepalive"."""
    signs = "/".join(name for name in cell.signs if name != "none")
    by = "/".join(name for name in cell.by if name != "none")
    return f"{signs} by {by}" if signs and by else signs


def predicted(cell: Cell) -> str:
    """Return when the cell should have been detected."""
    if cell.exact_s is not None:
        return f"{cell.exact_s:.3f} s"
    if cell.earliest_s is None:
        return {"missed": "never", "survived": "lives"}.get(cell.predicted, cell.predicted)
    if cell.latest_s is None:
        return f"from {cell.earliest_s:.3f} s"
    return f"{cell.earliest_s:.3f} to {cell.latest_s:.3f} s"


def distance(record: Record) -> float:
    """Return how far the trial is from its exact prediction, in seconds; 0.0 where that is not known."""
    after, exact = record.detection.after_s, record.prediction.exact_s
    return 0.0 if after is None or exact is None else abs(after - exact)


def is_odd(record: Record) -> bool:
    """Whether the trial is not a measurement, or not as predicted, or does not count."""
    return not (record.agrees and record.proof.holds) or record.flagged is not None


def what_is_odd(record: Record) -> str:
    """Return in one or two words what is odd about the trial."""
    if record.flagged is not None:
        return "flagged"
    if not record.proof.holds:
        return "not proved"
    return "not as predicted" if not record.agrees else ""


def _times(cells: list[Cell]) -> str:
    times = sorted(after for cell in cells for after in cell.after_s)
    if not times:
        return "Nothing was detected."
    if len(times) == 1:
        return f"Detection took {format_duration(times[0])}."
    low, middle, high = map(format_duration, (times[0], median(times), times[-1]))
    return f"Detection took {low} to {high}, {middle} in the median."


def _trust(cells: list[Cell]) -> str:
    said = [
        f"{what}: {count:,}"
        for what, count in (
            ("not proved", sum(cell.unproved for cell in cells)),
            ("not as predicted", sum(cell.disagree for cell in cells)),
            ("flagged and not counted", sum(cell.flagged for cell in cells)),
        )
        if count
    ]
    return "; ".join(said).capitalize() + "." if said else "All proved, all as predicted."


def _errors(cells: list[Cell]) -> str:
    errors = [abs(error) for cell in cells for error in cell.errors_s]
    if not errors:
        return ""
    middle, most, worst = (f"{v * 1000:.2f} ms" for v in (median(errors), percentile(errors, 0.99), max(errors)))
    if len(errors) < 2:
        return f"From the exact prediction: {middle}."
    return f"From the exact prediction: {middle} in the median, {most} at the 99th percentile, {worst} at most."
