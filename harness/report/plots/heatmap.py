"""Heat maps: the detection time against two settings, measured and predicted beside each other."""

import math
from statistics import median

import msgspec

from harness.report.facts import UNSET, Facts, shown, spoken
from harness.report.plots.axes import Axes, pairs
from harness.report.plots.palette import HEAT_STEPS
from harness.report.plots.scale import short
from harness.report.plots.svg import Panel, Plot, fitted, group, rectangle, text, width_of
from harness.report.sums import many
from harness.store.cells import Cell

_CELL_W, _CELL_H, _TOP, _GAP = 62.0, 32.0, 58.0, 2.0
# More maps than this are not looked at: the rest is in the table.
_MOST_MAPS = 12


class Spot(msgspec.Struct, frozen=True):
    """One place of a map: the median of its cells, None for never, and their range.

    ``interval``: in its stead where a single prediction has no exact instant.
    """

    value: float | None
    cells: int
    low: float
    high: float
    odd: bool
    never: int
    interval: str = ""


def heat_maps(facts: Facts) -> list[Plot]:
    """Return a plot for each pair of settings, the most telling first."""
    return [_plot(facts, axes, number) for number, axes in enumerate(pairs(facts))]


def _plot(facts: Facts, axes: Axes, number: int) -> Plot:
    maps = _apart(facts, axes)
    places = {label: {_place(facts, axes, cell) for cell in cells} for label, cells in maps.items()}
    # A map with one place tells nothing that the table does not.
    telling = [label for label in maps if len(places[label]) > 1] or list(maps)
    drawn = {label: maps[label] for label in telling[:_MOST_MAPS]}
    times = [t for cells in maps.values() for cell in cells for t in (cell.median_s, cell.exact_s) if t is not None]
    steps = _Steps(times)
    panels = []
    for label, cells in drawn.items():
        for measured in (True, False):
            panels.append(_panel(facts, axes, label, cells, measured, steps))
    against = f"{axes.across} and {axes.down}" if axes.down else axes.across
    left = len(maps) - len(drawn)
    note = (
        "Measured, and beside it what the kernel's timers say, in the same colours. A second line is the range of the "
        "cells that share a place, or how many of them were never detected. A red frame: a trial was not proved, or "
        "not as predicted."
    )
    if left:
        note += f" {many(left, 'smaller map')} left out: the table has those cells."
    return Plot(
        name="heat-map" if number == 0 else f"heat-map-{number + 1}",
        title=f"Detection time against {against}",
        note=note,
        panels=panels,
        abreast=2,
    )


class _Steps:
    """Colours for times, in equal steps of their logarithm."""

    def __init__(self, times: list[float]) -> None:
        # Without the outermost: a control that is detected at once must not take all colours for itself.
        positive = sorted(max(t, 0.001) for t in times) or [1.0]
        aside = len(positive) // 20
        self.low, self.high = positive[aside], positive[-1 - aside]

    def of(self, value: float) -> int:
        if self.high <= self.low * 1.0001:
            return 2
        share = math.log(max(value, self.low) / self.low) / math.log(self.high / self.low)
        return min(HEAT_STEPS - 1, int(share * HEAT_STEPS))


def _apart(facts: Facts, axes: Axes) -> dict[str, list[Cell]]:
    maps: dict[str, list[Cell]] = {}
    for cell in facts.cells:
        maps.setdefault(facts.phrase(cell, sorted(axes.apart, key=list(facts.varies).index)), []).append(cell)
    # The fullest first.
    return dict(sorted(maps.items(), key=lambda item: -len(item[1])))


def _panel(facts: Facts, axes: Axes, label: str, cells: list[Cell], measured: bool, steps: _Steps) -> Panel:
    across = _values(facts, axes.across, cells)
    down = _values(facts, axes.down, cells)
    side = max([width_of(shown(axes.down, value)) for value in down] + [width_of(axes.down, 11)], default=0.0) + 14
    what = "measured" if measured else "predicted"
    width = max(side + len(across) * _CELL_W + 8, width_of(label or what, 13) + 8, width_of(axes.across) + side)
    height = _TOP + len(down) * _CELL_H + 10
    drawn = [
        text(0, 14, label or "all cells", "ink head"),
        text(0, 30, what, "quiet"),
        text(side + len(across) * _CELL_W / 2, 30, axes.across, "quiet small mid"),
        text(side - 8, _TOP - 8, axes.down, "quiet small end"),
    ]
    drawn += [
        text(side + (i + 0.5) * _CELL_W, _TOP - 8, shown(axes.across, value), "ink mid")
        for i, value in enumerate(across)
    ]
    places: dict[tuple[str, str], list[Cell]] = {}
    for cell in cells:
        places.setdefault(_place(facts, axes, cell), []).append(cell)
    said = []
    for j, row in enumerate(down):
        y = _TOP + j * _CELL_H
        drawn.append(text(side - 8, y + _CELL_H / 2 + 4, shown(axes.down, row), "ink end"))
        for i, column in enumerate(across):
            here = places.get((column, row))
            if here is None:
                continue
            spot = _spot(here, measured)
            drawn.append(_drawn(spot, side + i * _CELL_W, y, steps))
            place = spoken(axes.across, column) + (f", {spoken(axes.down, row)}" if axes.down else "")
            said.append(f"{place}: {_says(spot)}")
    return Panel(
        width=width,
        height=height,
        title=f"Detection time, {what}" + (f": {label}" if label else ""),
        says="; ".join(said) + ".",
        body="".join(drawn),
    )


def _values(facts: Facts, name: str, cells: list[Cell]) -> list[str]:
    if not name:
        return [""]
    here = {_at(facts, cell, name) for cell in cells}
    return [value for value in facts.varies[name] if value in here]


def _place(facts: Facts, axes: Axes, cell: Cell) -> tuple[str, str]:
    return _at(facts, cell, axes.across), _at(facts, cell, axes.down)


def _at(facts: Facts, cell: Cell, name: str) -> str:
    return facts.words[cell.cell].get(name, UNSET) if name else ""


def _spot(cells: list[Cell], measured: bool) -> Spot:
    times = [t for cell in cells if (t := _time(cell, measured)) is not None]
    never = len(cells) - len(times)
    middle = median(times) if times else None
    return Spot(
        value=middle,
        cells=len(cells),
        low=min(times, default=0.0),
        high=max(times, default=0.0),
        odd=measured and not all(cell.agrees and cell.proved for cell in cells),
        never=never,
        interval="" if measured or len(cells) > 1 else _interval(cells[0]),
    )


def _interval(cell: Cell) -> str:
    if cell.exact_s is not None or cell.earliest_s is None:
        return ""
    return f"> {short(cell.earliest_s)}" if cell.latest_s is None else f"< {short(cell.latest_s)}"


def _time(cell: Cell, measured: bool) -> float | None:
    if measured:
        return cell.median_s
    if cell.exact_s is not None or cell.earliest_s is None or cell.latest_s is None:
        return cell.exact_s if cell.exact_s is not None else cell.earliest_s
    return (cell.earliest_s + cell.latest_s) / 2


def _drawn(spot: Spot, x: float, y: float, steps: _Steps) -> str:
    step = None if spot.value is None else steps.of(spot.value)
    kind, on = ("never", "quiet") if step is None else (f"heat{step}", f"on{step}")
    width, height = _CELL_W - _GAP, _CELL_H - _GAP
    middle = x + width / 2
    drawn = [rectangle(x, y, width, height, kind, rx=3)]
    second = _range(spot)
    first = spot.interval or ("never" if spot.value is None else short(spot.value))
    drawn.append(text(middle, y + (13.0 if second else 19.0), first, f"{on} mid"))
    if second:
        drawn.append(text(middle, y + 25, fitted(second, width, 10), f"{on} mid small"))
    if spot.odd:
        drawn.append(rectangle(x + 1, y + 1, width - 2, height - 2, "odd", rx=2))
    return group(*drawn)


def _range(spot: Spot) -> str:
    if spot.value is not None and spot.never:
        return f"{spot.never} never"
    if spot.cells > 1 and spot.value is not None and spot.high - spot.low > 0.02 * spot.high:
        return f"{spot.low:.3g}–{spot.high:.3g}"
    return ""


def _says(spot: Spot) -> str:
    said = spot.interval or ("never" if spot.value is None else short(spot.value))
    if spot.value is not None and spot.never:
        said += f" ({spot.never} of {spot.cells} cells never)"
    return said + (", not all as predicted" if spot.odd else "")
