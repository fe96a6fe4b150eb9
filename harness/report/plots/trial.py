"""The timeline of one trial: what the prediction says is sent and when, and the packets that were seen."""

from collections.abc import Sequence

import msgspec

from harness.predict.situation import Step
from harness.report.facts import Facts
from harness.report.plots.scale import Scale, short
from harness.report.plots.svg import Panel, Plot, crosses, element, fitted, line, text, width_of
from harness.report.sums import is_odd, milliseconds, what_is_odd
from harness.verdict.record import Record

_LEFT, _NUMBER_W, _ROW_H, _MOST = 78.0, 82.0, 18.0, 40
_AXIS, _BOTTOM, _TOP_OF_LIST = 48.0, 88.0, 132.0
# What goes over the wire, by the first words of its name; a tail loss probe is a retransmission to who sees it.
_PACKETS = ("keepalive probe", "window probe", "retransmission", "tail loss probe", "syn", "fin", "rst", "icmp")


class Line(msgspec.Struct, frozen=True):
    """One line of the list. ``far``: how far from its prediction; ``real``: it was seen."""

    at_s: float
    what: str
    far: str = ""
    real: bool = True


def chosen(facts: Facts, most: int, number: int | None = None) -> list[Record]:
    """Return the trials worth a timeline: the one that was asked for, the odd ones, then one of each kind."""
    everyone = [record for cell in facts.cells for record in facts.trials[cell.cell]]
    first = [record for record in everyone if record.trial == number]
    odd = [record for record in everyone if is_odd(record)]
    kinds: dict[tuple[str, ...], Record] = {}
    for record in everyone:
        kind = (record.experiment, record.traffic, record.detection.verdict, record.detection.by)
        best = kinds.get(kind)
        if best is None or len(record.seen) > len(best.seen):
            kinds[kind] = record
    return list({id(record): record for record in (*first, *odd, *kinds.values())}.values())[:most]


def timeline(record: Record, width: float) -> Plot:
    """Return the timeline of a trial: the prediction above the axis, what was seen below, and both as a list."""
    seen = _seen(record)
    foretold = record.prediction.steps[:_MOST]
    lines = _lines(record, seen, foretold)
    x = _scale([each.at_s for each in lines], width)
    drawn = [text(0, _AXIS - 14, "predicted", "text1"), text(0, _AXIS + 26, "seen", "text0")]
    for tick in x.ticks(4 if width < 500 else 8):
        drawn.append(line(x.at(tick), 12, x.at(tick), _BOTTOM + 4, "rule"))
        drawn.append(text(x.at(tick), _BOTTOM + 19, short(tick), "quiet small mid"))
    drawn.append(line(x.start, _AXIS, width, _AXIS, "axis"))
    drawn += [line(x.at(0.0), 12, x.at(0.0), _BOTTOM + 4, "fault"), text(x.at(0.0), 9, "fault", "warn small mid")]
    drawn += [_above(step, x) for step in foretold]
    drawn += [_below(step, x, record.survivor) for step in seen]
    if record.fault.healed_after_s is not None:
        at = x.at(record.fault.healed_after_s)
        drawn.append(line(at, 8, at, _BOTTOM, "curve line2"))
    drawn += _list(lines, width, record.survivor)
    panel = Panel(
        width=width,
        height=_TOP_OF_LIST + len(lines) * _ROW_H,
        title=f"Timeline of trial {record.trial}",
        says="; ".join(f"{each.at_s:+.3f} s {each.what}" for each in lines) + ".",
        body="".join(drawn),
    )
    return Plot(
        name=f"trial-{record.trial}", title=f"Trial {record.trial}: {name(record)}", note=record.why, panels=[panel]
    )


def name(record: Record) -> str:
    """Return what a list of trials calls this one."""
    detection = record.detection
    seen = f"{detection.sign} by {detection.by}" if detection.after_s is not None else detection.verdict
    odd = what_is_odd(record)
    return f"{record.experiment}, {record.traffic}, {seen}" + (f" ({odd})" if odd else "")


def _seen(record: Record) -> list[Step]:
    """The packets, and the sign at their end."""
    steps = list(record.seen[:_MOST])
    after = record.detection.after_s
    if after is not None:
        steps.append(Step(at_s=after, what=f"{record.detection.sign} at the {record.survivor}"))
    return sorted(steps, key=lambda step: step.at_s)


def _scale(instants: Sequence[float], width: float) -> Scale:
    last = max(instants) or 1.0
    return Scale(low=min(0.0, *instants), high=last, start=_LEFT + 8, stop=width - 22)


def _above(step: Step, x: Scale) -> str:
    at = x.at(step.at_s)
    if _is_end(step):
        return line(at, _AXIS, at, 20, "foretold") + crosses([(at, 20)], 4.0, "foretold")
    if _kind(step) not in _PACKETS:
        return line(at, _AXIS, at, _AXIS - 8, "foretold")
    return line(at, _AXIS, at, _AXIS - 16, "foretold") + element("circle", cx=at, cy=_AXIS - 20, r=4, kind="foretold")


def _below(step: Step, x: Scale, survivor: str) -> str:
    """The survivor's own packets are full, those of the other end are hollow."""
    at = x.at(step.at_s)
    if _is_end(step):
        return line(at, _AXIS, at, _BOTTOM - 6, "stem") + crosses([(at, _BOTTOM - 6)], 5.0, "odd")
    kind = "event" if step.what.endswith(f" from the {survivor}") else "paper mark line0"
    return line(at, _AXIS, at, _AXIS + 20, "stem") + element("circle", cx=at, cy=_AXIS + 22, r=4, kind=kind)


def _is_end(step: Step) -> bool:
    """Whether this is the sign: ETIMEDOUT, EOF, or one of the program's own."""
    word = step.what.split(" ")[0]
    return word.isupper() or word == "deadline" or " (heartbeat)" in step.what or step.what.startswith("heartbeat at")


def _kind(step: Step) -> str:
    if _is_end(step):
        return "end"
    what = step.what.removeprefix("the ")
    return next((packet for packet in _PACKETS if what.startswith(packet)), what)


def _lines(record: Record, seen: list[Step], foretold: list[Step]) -> list[Line]:
    """What was seen, each beside the nearest prediction of its kind; then what was foretold and not seen."""
    open_ = list(foretold)
    lines = [Line(0.0, "fault in force")]
    for step in seen:
        kind = _kind(step).replace("tail loss probe", "retransmission")
        alike = [each for each in open_ if _kind(each).replace("tail loss probe", "retransmission") == kind]
        nearest = min(alike, key=lambda each: abs(each.at_s - step.at_s), default=None)
        if nearest is None:
            lines.append(Line(step.at_s, step.what))
            continue
        open_.remove(nearest)
        also = " (tail loss probe)" if _kind(nearest) == "tail loss probe" else ""
        is_exact = record.prediction.exact_s is not None and nearest.earliest_s is None
        far = milliseconds(step.at_s - nearest.at_s) if is_exact else ""
        lines.append(Line(step.at_s, step.what + also, far))
    for step in open_:
        missing = _kind(step) in _PACKETS or _is_end(step)
        lines.append(Line(step.at_s, step.what + (": predicted, not seen" if missing else ""), real=False))
    if record.fault.healed_after_s is not None:
        lines.append(Line(record.fault.healed_after_s, "healed"))
    if record.detection.after_s is None and record.detection.watched_s:
        lines.append(Line(record.detection.watched_s, "watched until here: nothing was noticed"))
    return sorted(lines, key=lambda each: each.at_s)


def _list(lines: list[Line], width: float, survivor: str) -> list[str]:
    drawn = []
    for i, each in enumerate(lines):
        y = _TOP_OF_LIST + 8 + i * _ROW_H
        tone = "ink" if each.real else "quiet"
        drawn.append(text(_NUMBER_W - 12, y, f"{each.at_s:+.3f} s", f"{tone} end"))
        room = width - _NUMBER_W - (width_of(each.far) + 8 if each.far else 0)
        # Where there is little room, who sent it: the survivor, unless it says so.
        what = each.what if width > 500 else each.what.replace(f" from the {survivor}", "")
        drawn.append(text(_NUMBER_W, y, fitted(what, room), tone))
        if each.far:
            drawn.append(text(width - 2, y, each.far, "quiet end"))
    return drawn
