"""Every detection time of every cell: a row per cell, a point per trial, over the interval that was predicted."""

from harness.report.facts import Facts
from harness.report.plots.scale import Scale, scale_for, short
from harness.report.plots.svg import Panel, Plot, crosses, dots, fitted, group, line, rectangle, text, width_of
from harness.report.sums import many
from harness.store.cells import Cell

_ROWS = 40
_ROW_H, _TOP, _BOTTOM = 20.0, 30.0, 8.0
# A label that takes more of the width than this stands above its points, not beside them.
_LABEL_SHARE = 0.4
_NUMBER_W = 62.0


def distribution(facts: Facts, width: float) -> Plot:
    """Return the rows of all cells by their times, so many to a panel; what was never detected comes last."""
    cells = sorted(facts.cells, key=_order)
    parts = [cells[i : i + _ROWS] for i in range(0, len(cells), _ROWS)]
    panels = []
    for number, part in enumerate(parts):
        first = number * _ROWS
        span = f", {first + 1:,} to {first + len(part):,} of {len(cells):,}" if len(parts) > 1 else ""
        panels.append(_panel(facts, part, width, f"Detection times by cell{span}"))
    return Plot(
        name="distribution",
        title="Every detection time, cell by cell",
        note="Each point is a trial, a cross one that was not as predicted. The bar is the interval that was predicted "
        "for the cell's trials, the tick in it the exact instant (of several trials: their median). Sorted by time.",
        panels=panels,
    )


def _order(cell: Cell) -> tuple[float, float, str]:
    never = float("inf")
    exact = cell.exact_s if cell.exact_s is not None else cell.earliest_s
    middle = cell.median_s
    return (never if middle is None else middle, never if exact is None else exact, cell.cell)


def _panel(facts: Facts, cells: list[Cell], width: float, title: str) -> Panel:
    widest = max(width_of(facts.label(cell)) for cell in cells)
    narrow = widest > width * _LABEL_SHARE
    label_w = 0.0 if narrow else widest
    row_h = _ROW_H * 2 - 4 if narrow else _ROW_H
    values = [
        t for cell in cells for t in (*cell.after_s, cell.earliest_s, cell.latest_s, cell.exact_s) if t is not None
    ]
    scale = scale_for(values or [0.0, 1.0], label_w + 10, width - _NUMBER_W - 20)
    height = _TOP + len(cells) * row_h + _BOTTOM
    drawn = [text(width - 2, 14, "median", "quiet small end")]
    for tick in scale.ticks(4 if width < 500 else 7) if values else ():
        drawn.append(text(scale.at(tick), 14, short(tick), "quiet small mid"))
        drawn.append(line(scale.at(tick), 20, scale.at(tick), height - _BOTTOM, "rule"))
    for number, cell in enumerate(cells):
        y = _TOP + number * row_h
        label = fitted(facts.label(cell), width - _NUMBER_W - 10 if narrow else label_w + 8)
        drawn.append(text(0, y + 9, label))
        drawn.append(_row(facts, cell, scale, y + (22.0 if narrow else 5.0)))
        middle = "never" if cell.median_s is None else f"{cell.median_s:.3f} s"
        drawn.append(text(width - 2, y + 9, middle, "ink end"))
    return Panel(width=width, height=height, title=title, says=_says(cells), body="".join(drawn))


def _row(facts: Facts, cell: Cell, scale: Scale, y: float) -> str:
    drawn = []
    if cell.earliest_s is not None:
        left = scale.at(cell.earliest_s)
        right = scale.stop if cell.latest_s is None else scale.at(cell.latest_s)
        drawn.append(rectangle(left - 1, y - 7, max(2.0, right - left) + 2, 14, "band", rx=2))
    if cell.exact_s is not None:
        x = scale.at(cell.exact_s)
        drawn.append(line(x, y - 7, x, y + 7, "exact"))
    good: list[tuple[float, float]] = []
    odd: list[tuple[float, float]] = []
    for record in facts.trials[cell.cell]:
        if record.flagged is None and record.detection.after_s is not None:
            fine = record.agrees and record.proof.holds
            (good if fine else odd).append((scale.at(record.detection.after_s), y))
    if len(good) > 1:
        drawn.append(line(min(good)[0], y, max(good)[0], y, "range"))
    return group(*drawn, dots(good, "point"), crosses(odd, 4.0, "odd"))


def _says(cells: list[Cell]) -> str:
    timed = [cell for cell in cells if cell.median_s is not None]
    points = sum(len(cell.after_s) for cell in cells)
    said = f"{many(len(cells), 'cell')}, {many(points, 'detection time')}"
    if timed:
        said += f", cell medians from {short(timed[0].median_s or 0.0)} to {short(timed[-1].median_s or 0.0)}"
    never = len(cells) - len(timed)
    return said + (f"; {many(never, 'cell')} never detected" if never else "") + ". The table of cells has the numbers."
