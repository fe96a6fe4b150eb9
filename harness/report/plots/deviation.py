"""How far every trial is from its exact prediction: the deviation against the predicted time."""

from harness.report.facts import Facts
from harness.report.plots.scale import scale_for, short
from harness.report.plots.svg import Panel, Plot, crosses, dots, line, text, width_of
from harness.report.sums import is_odd, many, milliseconds, percentile
from harness.verdict.record import Record

_HEIGHT, _TOP, _LEFT, _BOTTOM = 260.0, 26.0, 66.0, 38.0
_LEAST_S = 0.001
_NEARLY_ALL = 0.95


def deviation(facts: Facts, width: float) -> Plot | None:
    """Return the plot, or None where no trial has an exact prediction."""
    found = [(exact, after - exact, record) for record in facts.everyone() for exact, after in _both(record)]
    if not found:
        return None
    errors = [error for _, error, _ in found]
    # Half as much again as nearly all need: what lies further out stands at the edge, with its number.
    reach = max(_LEAST_S, percentile([abs(error) for error in errors], _NEARLY_ALL) * 1.5)
    low, high = max(min([*errors, -_LEAST_S]), -reach), min(max([*errors, _LEAST_S]), reach)
    x = scale_for([exact for exact, _, _ in found], _LEFT, width - 10)
    y = scale_for([low, high], _HEIGHT - _BOTTOM, _TOP, log=False)
    drawn = [text(0, 12, "measured minus predicted", "quiet small")]
    for tick in y.ticks(6):
        drawn.append(line(_LEFT, y.at(tick), width, y.at(tick), "rule" if tick else "axis"))
        drawn.append(text(_LEFT - 6, y.at(tick) + 4, f"{tick * 1000:+g} ms" if tick else "0", "quiet small end"))
    for tick in x.ticks(4 if width < 500 else 8):
        drawn.append(line(x.at(tick), _HEIGHT - _BOTTOM, x.at(tick), _HEIGHT - _BOTTOM + 4, "axis"))
        drawn.append(text(x.at(tick), _HEIGHT - _BOTTOM + 17, short(tick), "quiet small mid"))
    drawn.append(text(width - 4, _HEIGHT - 4, "predicted detection time", "quiet small end"))
    places = [((x.at(exact), y.at(error)), is_odd(record)) for exact, error, record in found]
    drawn.append(dots([place for place, odd in places if not odd], "point"))
    drawn.append(crosses([place for place, odd in places if odd], 4.0, "odd"))
    beyond = [(exact, error) for exact, error, _ in found if not low <= error <= high]
    drawn += _numbers([(x.at(exact), y.at(error), error) for exact, error in beyond], width)
    says = f"{many(len(found), 'trial')}: from {milliseconds(min(errors))} to {milliseconds(max(errors))}."
    panel = Panel(
        width=width, height=_HEIGHT, title="Measured minus predicted, every trial", says=says, body="".join(drawn)
    )
    return Plot(
        name="deviation",
        title="How far from the prediction",
        note="Every trial that has an exact prediction. A cross: not proved, or not as predicted. What is "
        "further out than nearly all the others stands at the edge, where there is room with its deviation.",
        panels=[panel],
    )


def _numbers(points: list[tuple[float, float, float]], width: float) -> list[str]:
    """The deviations of points at an edge, each beside its point where there is room."""
    drawn: list[str] = []
    for edge in sorted({y for _, y, _ in points}):
        here = sorted((x, error) for x, y, error in points if y == edge)
        left = 0.0
        for i, (x, error) in enumerate(here):
            said = milliseconds(error)
            room = width_of(said, 11) + 16
            right = here[i + 1][0] if i + 1 < len(here) else width
            if x + room < right:
                drawn.append(text(x + 8, edge + 4, said, "warn small"))
                left = x + room
            else:
                if x - room > left:
                    drawn.append(text(x - 8, edge + 4, said, "warn small end"))
                left = x
    return drawn


def _both(record: Record) -> list[tuple[float, float]]:
    exact, after = record.prediction.exact_s, record.detection.after_s
    return [] if exact is None or after is None else [(exact, after)]
