"""The table of cells, and the controls that filter it."""

from harness.report.facts import UNSET, Facts, in_order, shown
from harness.report.page.parts import Section, note, section, tag
from harness.report.plots.svg import escape
from harness.report.sums import many, predicted, sign, verdict
from harness.store.cells import Cell

# More controls than this are no help; the text field finds the rest.
_MOST_FILTERS = 12
# Name, whether it is a number, what it means.
_COLUMNS = (
    ("cell", False, "what distinguishes it"),
    ("verdict", False, "what became of its trials"),
    ("sign", False, "what the survivor saw, and what was behind it"),
    ("trials", True, "how many count"),
    ("median, s", True, "detection time after the fault"),
    ("from, s", True, "the shortest"),
    ("to, s", True, "the longest"),
    ("predicted", True, "by the kernel's timers"),
    ("off by, ms", True, "the largest deviation from the exact prediction"),
    ("proved", False, "the evidence shows what the fault claims"),
    ("agrees", False, "measured and predicted are the same"),
)


def cells_section(facts: Facts) -> Section:
    """Return the table with its filters. Without the page's script the table is whole, and the filters hidden."""
    head = "".join(
        tag(
            "th",
            tag("button", escape(name), type="button", title=f"{means}; sort by it"),
            scope="col",
            kind="number" if is_number else None,
            aria_sort="none",
        )
        for name, is_number, means in _COLUMNS
    )
    names = _filters(facts)
    rows = "".join(_row(facts, cell, names) for cell in facts.cells)
    caption = tag("caption", "Every cell of the run. The buttons in the head sort by their column.")
    table = tag("table", caption, tag("thead", tag("tr", head)), tag("tbody", rows), id="cells-table")
    scroll = tag("div", table, kind="scroll", tabindex="0", role="region", aria_label="Table of cells, scrolls")
    return section("cells", "Cells", note(_note(facts)), _controls(facts, names), scroll)


def _note(facts: Facts) -> str:
    flagged = sum(cell.flagged for cell in facts.cells)
    said = "Times count from the fault. A setting that is not named has the kernel's default."
    return said + (f" {many(flagged, 'trial')} flagged as too late, in no number here." if flagged else "")


def _filters(facts: Facts) -> list[str]:
    return list(facts.varies)[:_MOST_FILTERS]


def _controls(facts: Facts, names: list[str]) -> str:
    fields = [
        _field(
            "find",
            "Text",
            tag("input", id="find", type="search", autocomplete="off", spellcheck="false").replace("</input>", ""),
        )
    ]
    for i, name in enumerate(names):
        fields.append(
            _select(f"v{i}", name, [(v, f"no {name}" if v == UNSET else shown(name, v)) for v in facts.varies[name]])
        )
    verdicts = sorted({verdict(cell) for cell in facts.cells}, key=in_order)
    fields.append(_select("verdict", "verdict", [(v, v) for v in verdicts]))
    fields.append(_select("proved", "proved", [("yes", "yes"), ("NO", "NO")]))
    fields.append(_select("agrees", "agrees", [("yes", "yes"), ("NO", "NO")]))
    end = tag("button", "Show all", type="reset")
    count = tag("output", f"{many(len(facts.cells), 'cell')}", id="count", aria_live="polite")
    form = tag(
        "form", *fields, tag("div", end, count, kind="end"), id="filters", role="search", aria_label="Filter the cells"
    )
    return tag("div", form, kind="controls", hidden=True)


def _select(name: str, label: str, values: list[tuple[str, str]]) -> str:
    options = tag("option", "any", value="") + "".join(tag("option", escape(text), value=f"={v}") for v, text in values)
    return _field(f"by-{name}", label, tag("select", options, id=f"by-{name}", data_by=name))


def _field(name: str, label: str, control: str) -> str:
    return tag("div", tag("label", escape(label), for_=name), control, kind="field")


def _row(facts: Facts, cell: Cell, names: list[str]) -> str:
    words = facts.words[cell.cell]
    proved, agrees = _yes(cell.proved), _yes(cell.agrees)
    values = {f"data_v{i}": words.get(name, UNSET) for i, name in enumerate(names)}
    worst = max((abs(error) * 1000 for error in cell.errors_s), default=None)
    return tag(
        "tr",
        tag("th", escape(_unbroken(facts.label(cell))), scope="row"),
        tag("td", escape(verdict(cell))),
        tag("td", escape(sign(cell))),
        _number(cell.trials, "d"),
        _number(cell.median_s, ".3f"),
        _number(cell.min_s, ".3f"),
        _number(cell.max_s, ".3f"),
        _predicted(cell),
        _number(worst, ".2f"),
        _answer(proved, cell.unproved),
        _answer(agrees, cell.disagree),
        data_text=cell.cell,
        data_verdict=verdict(cell),
        data_proved=proved,
        data_agrees=agrees,
        **values,
    )


def _unbroken(label: str) -> str:
    """Break lines after commas only: "keepalive" and its "5 s" stay together."""
    return ", ".join(part.replace(" ", "\N{NO-BREAK SPACE}") for part in label.split(", "))


def _yes(value: bool) -> str:
    return "yes" if value else "NO"


def _answer(said: str, count: int) -> str:
    return tag("td", said) if said == "yes" else tag("td", f"{said} ({count})", kind="bad")


def _number(value: float | None, form: str) -> str:
    return tag("td", "" if value is None else format(value, form), kind="number")


def _predicted(cell: Cell) -> str:
    instant = cell.exact_s if cell.exact_s is not None else cell.earliest_s
    return tag("td", escape(predicted(cell)), kind="number", data_n="" if instant is None else f"{instant:.6f}")
