"""The sections of the page, each from the same facts."""

from typing import Any

from harness.report.facts import Facts
from harness.report.page.parts import NARROW, WIDE, Choice, Section, chooser, figure, note, pictures, section, tag
from harness.report.plots.deviation import deviation
from harness.report.plots.distribution import distribution
from harness.report.plots.heatmap import heat_maps
from harness.report.plots.survival import survival
from harness.report.plots.svg import Plot, escape
from harness.report.plots.trial import chosen, name, timeline
from harness.report.sums import distance, is_odd, many, milliseconds, what_is_odd
from harness.verdict.record import Record

_MOST_ODD, _FURTHEST, _MOST_TRIALS = 50, 5, 24


def odd(facts: Facts) -> Section:
    """What is not as it should be, with its explanation; where all is well, what is furthest from its prediction."""
    everyone = [record for cell in facts.cells for record in facts.trials[cell.cell]]
    found = [record for record in everyone if is_odd(record)]
    parts = []
    if found:
        left = len(found) - _MOST_ODD
        parts.append(tag("ul", *(_item(record) for record in found[:_MOST_ODD]), kind="odd"))
        if left > 0:
            parts.append(note(f"And {many(left, 'more trial')}: the records have them."))
    else:
        parts.append(tag("p", "None: every trial is proved, and as predicted."))
    far = sorted((r for r in everyone if not is_odd(r) and distance(r)), key=distance, reverse=True)[:_FURTHEST]
    if far:
        items = tag("ul", *(_item(record) for record in far), kind="odd")
        parts.append(tag("details", tag("summary", "Furthest from the prediction, of those that agree with it"), items))
    if facts.warnings:
        parts.append(tag("h3", "Warnings"))
        parts.append(tag("ul", *(tag("li", escape(text)) for text in facts.warnings)))
    return section("outliers", "Outliers", *parts)


def _item(record: Record) -> str:
    after, exact = record.detection.after_s, record.prediction.exact_s
    far = "" if after is None or exact is None else f" ({milliseconds(after - exact)})"
    what = what_is_odd(record)
    said = record.flagged or record.why
    return tag(
        "li",
        tag("strong", escape(f"Trial {record.trial}{', ' + what if what else ''}{far}")),
        " ",
        tag("code", escape(record.cell or name(record))),
        tag("br"),
        escape(said),
    ).replace("<br></br>", "<br>")


def heat(facts: Facts) -> Section | None:
    plots = heat_maps(facts)
    if not plots:
        return None
    choices = [Choice(plot.title, note(plot.note) + _pairs(plot)) for plot in plots]
    title = plots[0].title if len(plots) == 1 else "Detection time against settings"
    return section("heat-map", title, chooser("map", "Settings:", choices))


def _pairs(plot: Plot) -> str:
    """Measured and predicted stay beside each other where there is room for two."""
    two = [plot.panels[i : i + 2] for i in range(0, len(plot.panels), 2)]
    pairs = (tag("div", pictures(pair, f"{plot.name}-{i}"), kind="flow") for i, pair in enumerate(two))
    return tag("div", *pairs, kind="flow")


def survivors(facts: Facts) -> Section:
    wide, narrow = survival(facts, WIDE), survival(facts, NARROW)
    return section("survival", wide.title, note(wide.note), figure(wide, narrow))


def deviations(facts: Facts) -> Section | None:
    wide, narrow = deviation(facts, WIDE), deviation(facts, NARROW)
    if wide is None or narrow is None:
        return None
    return section("deviation", wide.title, note(wide.note), figure(wide, narrow))


def distributions(facts: Facts) -> Section:
    """The first panel open, the others folded: a thousand rows are there, and are drawn when somebody asks."""
    wide, narrow = distribution(facts, WIDE), distribution(facts, NARROW)
    parts = []
    for i, (broad, slim) in enumerate(zip(wide.panels, narrow.panels, strict=True)):
        drawn = pictures([broad], f"spread-w{i}", "wide") + pictures([slim], f"spread-n{i}", "narrow")
        if i == 0:
            parts.append(drawn)
        else:
            parts.append(tag("details", tag("summary", escape(broad.title)), drawn))
    return section("distribution", wide.title, note(wide.note), *parts)


def trials(facts: Facts, number: int | None) -> Section:
    choices = []
    for record in chosen(facts, _MOST_TRIALS, number):
        wide, narrow = timeline(record, WIDE), timeline(record, NARROW)
        choices.append(Choice(wide.title, figure(wide, narrow) + tag("p", escape(record.flagged or record.why))))
    return section(
        "timeline",
        "One trial, packet by packet",
        note(
            "Above the line what the prediction says; below it what was seen on the wire, full from the survivor, "
            "hollow from the other end. A cross is the sign. At the right of the list, how far each was from its "
            "prediction."
        ),
        chooser("trial", "Trial:", choices),
    )


def machine(facts: Facts) -> Section:
    """What the results were made on; tables within it, such as the sysctls, are folded."""
    if not facts.machine:
        return section("machine", "The machine", tag("p", "The run does not say: it has no machine.json."))
    plain = {key: value for key, value in facts.machine.items() if not isinstance(value, dict)}
    parts = [_table("What the results were made on", plain)]
    for key, value in facts.machine.items():
        if isinstance(value, dict):
            title = key.replace("_", " ").capitalize()
            parts.append(tag("details", tag("summary", escape(title)), _table(title, value)))
    return section("machine", "The machine", *parts)


def _table(caption: str, values: dict[str, Any]) -> str:
    rows = "".join(
        tag("tr", tag("th", escape(key), scope="row"), tag("td", escape("not known" if value is None else value)))
        for key, value in values.items()
    )
    return tag("div", tag("table", tag("caption", escape(caption)), tag("tbody", rows), kind="facts"), kind="picture")
