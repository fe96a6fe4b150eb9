"""Survival curves: the share of connections that still believe, so long after the fault.

Kaplan and Meier, "Nonparametric Estimation from Incomplete Observations" (1958): a trial in which nothing was seen was
censored when the watching ended, and counts among those at risk until then. One that was shown to be never (no timer
was armed, so nobody waited) is at risk for ever.
"""

from collections.abc import Iterable

import msgspec

from harness.report.facts import FAULT, UNSET, Facts, in_order, spoken
from harness.report.plots.axes import influence
from harness.report.plots.palette import SERIES
from harness.report.plots.scale import Scale, scale_for, short
from harness.report.plots.svg import Panel, Plot, element, fitted, line, number, text
from harness.report.sums import many
from harness.verdict.record import Record

_HEIGHT, _TOP, _LEFT, _BOTTOM, _ENTRY_H = 240.0, 26.0, 48.0, 40.0, 18.0
# A trial that was watched for less was not watched, but shown to be never (scene/waiting.py).
_WATCHED_S = 0.5
_DECADES, _FAR_APART = 100.0, 30.0
_NARROW = 500.0
_MOST_PARTS = 6


class Curve(msgspec.Struct, frozen=True):
    """``steps``: (instant, share that still believes from then on). ``censored``: (instant, share then).

    ``at_end``: how many were shown to be never; ``trials``: of how many.
    """

    steps: list[tuple[float, float]]
    censored: list[tuple[float, float]]
    at_end: int
    trials: int


def estimate(records: Iterable[Record]) -> Curve:
    """Return the Kaplan-Meier estimate of the trials. Of a death and a censoring at one instant, the death is first."""
    deaths: list[float] = []
    losses: list[float] = []
    never = 0
    for record in records:
        detection = record.detection
        if detection.after_s is not None:
            deaths.append(max(0.0, detection.after_s))
        elif detection.watched_s is None or detection.watched_s < _WATCHED_S:
            never += 1
        else:
            losses.append(detection.watched_s)
    trials = risk = len(deaths) + len(losses) + never
    share = 1.0
    steps, censored = [(0.0, 1.0)], []
    for at, died in sorted([(at, 0) for at in deaths] + [(at, 1) for at in losses]):
        if died == 0:
            share *= 1 - 1 / risk
            steps.append((at, share))
        else:
            censored.append((at, share))
        risk -= 1
    return Curve(steps, censored, never, trials)


def survival(facts: Facts, width: float) -> Plot:
    """Return the curves of the groups that differ most, for each fault on its own where there are several."""
    faults = facts.varies.get(FAULT, [])
    parts = faults if 1 < len(faults) <= _MOST_PARTS else [""]
    name = _telling(facts, without=FAULT if len(parts) > 1 else "")
    found = {part: _groups(facts, part, name) for part in parts}
    curves = {part: {label: estimate(records) for label, records in groups.items()} for part, groups in found.items()}
    x = _scale([curve for part in curves.values() for curve in part.values()], width)
    return Plot(
        name="survival",
        title="Who still believes, so long after the fault",
        note="Kaplan-Meier curves. An upright mark: a trial in which nothing was seen for as long as it was watched. A "
        "line that goes on to the right edge with a ring: connections that never notice.",
        panels=[_panel(part, name, each, x, width) for part, each in curves.items()],
    )


def _panel(part: str, name: str, curves: dict[str, Curve], x: Scale, width: float) -> Panel:
    bottom = _HEIGHT - _BOTTOM
    y = Scale(low=0.0, high=1.0, start=bottom, stop=_TOP)
    drawn = [text(0, 12, part or "still believe", "ink head")]
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        drawn.append(line(_LEFT, y.at(share), width, y.at(share), "rule" if share else "axis"))
        drawn.append(text(_LEFT - 6, y.at(share) + 4, f"{share:.0%}", "quiet small end"))
    for tick in x.ticks(4 if width < _NARROW else 8):
        drawn.append(line(x.at(tick), bottom, x.at(tick), bottom + 4, "axis"))
        drawn.append(text(x.at(tick), bottom + 17, short(tick), "quiet small mid"))
    drawn.append(text(width - 4, bottom + 32, "after the fault", "quiet small end"))
    said = []
    for i, (label, curve) in enumerate(curves.items()):
        drawn.append(_curve(curve, x, y, i))
        drawn.append(_entry(_named(name, label), curve, i, width))
        said.append(f"{_named(name, label)}: {_says(curve)}")
    return Panel(
        width=width,
        height=_HEIGHT + len(curves) * _ENTRY_H + 8,
        title="Share of connections that still believe, by time after the fault" + (f": {part}" if part else ""),
        says="; ".join(said) + ".",
        body="".join(drawn),
    )


def _scale(curves: list[Curve], width: float) -> Scale:
    """One axis for all: what is noticed at once stands at its left edge, and does not push all else together."""
    ends = [at for curve in curves for at, _ in (*curve.steps, *curve.censored) if at > 0]
    longest = max(ends, default=1.0)
    shortest = max(min(ends, default=1.0), longest / _DECADES)
    far_apart = longest > _FAR_APART * shortest
    return scale_for([shortest, longest] if far_apart else [0.0, longest], _LEFT, width - 14, log=far_apart)


def _telling(facts: Facts, without: str) -> str:
    """Return what moves the detection time most, of that which has few enough values."""
    names = [name for name in facts.telling if name != without and len(facts.varies[name]) <= SERIES]
    return max(names, key=lambda name: influence(facts, name), default="")


def _groups(facts: Facts, fault: str, name: str) -> dict[str, list[Record]]:
    """Sort the trials of ``fault`` ("": of all) by their value of ``name``."""
    found: dict[str, list[Record]] = {}
    for cell in facts.cells:
        if fault in ("", facts.words[cell.cell][FAULT]):
            label = facts.words[cell.cell].get(name, UNSET) if name else "all trials"
            found.setdefault(label, []).extend(r for r in facts.trials[cell.cell] if r.flagged is None)
    return dict(sorted(found.items(), key=lambda item: in_order(item[0])))


def _named(name: str, label: str) -> str:
    return spoken(name, label) if name else label


def _curve(curve: Curve, x: Scale, y: Scale, i: int) -> str:
    path = [f"M{number(x.start)} {number(y.at(1.0))}"]
    share = 1.0
    for at, share in curve.steps[1:]:
        path.append(f"H{number(x.at(at))}V{number(y.at(share))}")
    last = max([at for at, _ in (*curve.steps, *curve.censored)])
    end = x.stop if curve.at_end else x.at(last) if last > 0 else x.start
    if share > 0:
        path.append(f"H{number(end)}")
    drawn = [element("path", d="".join(path), kind=f"curve line{i}")]
    drawn += [_mark(x.at(at), y.at(share), i) for at, share in curve.censored]
    if curve.at_end:
        drawn.append(element("circle", cx=end, cy=y.at(share), r=5, kind=f"paper mark line{i}"))
    return "".join(drawn)


def _mark(x: float, y: float, i: int) -> str:
    return element("path", d=f"M{number(x)} {number(y - 6)}V{number(y + 6)}", kind=f"mark line{i}")


def _entry(label: str, curve: Curve, i: int, width: float) -> str:
    y = _HEIGHT + i * _ENTRY_H + 4
    said = _says(curve) if width > _NARROW else _briefly(curve)
    words = fitted(f"{label}: {said}", width - 44)
    return element("path", d=f"M0 {number(y - 4)}H34", kind=f"curve line{i}") + text(42, y, words)


def _says(curve: Curve) -> str:
    half = _half(curve)
    said = f"{len(curve.steps) - 1} of {many(curve.trials, 'trial')} noticed"
    return said + (f", half within {short(half)}" if half is not None else "")


def _briefly(curve: Curve) -> str:
    half = _half(curve)
    return f"{len(curve.steps) - 1}/{curve.trials}" + (f", half in {short(half)}" if half is not None else "")


def _half(curve: Curve) -> float | None:
    return next((at for at, share in curve.steps if share <= 0.5), None)
