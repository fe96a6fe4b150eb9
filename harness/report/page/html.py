"""The page as a whole: head, landmarks, sections. A policy in it forbids every request and every foreign script."""

import hashlib
from base64 import b64encode
from importlib.resources import files

from harness.report.facts import Facts
from harness.report.page import sections
from harness.report.page.parts import tag
from harness.report.page.table import cells_section
from harness.report.plots.palette import DARK, LIGHT, style, variables
from harness.report.plots.svg import escape
from harness.report.sums import is_good, sentence


def page(facts: Facts, number: int | None = None) -> str:
    """Return the page. ``number``: a trial that is to have a timeline."""
    css = _style()
    js = _read("page.js")
    parts = [
        sections.odd(facts),
        sections.heat(facts),
        sections.survivors(facts),
        sections.deviations(facts),
        sections.distributions(facts),
        sections.trials(facts, number),
        cells_section(facts),
        sections.machine(facts),
    ]
    shown = [part for part in parts if part is not None]
    links = "".join(tag("li", tag("a", escape(part.link), href=f"#{part.name}")) for part in shown)
    good = is_good(facts)
    head = "".join(
        (
            '<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            f'<meta http-equiv="Content-Security-Policy" content="{_policy(css, js)}">',
            tag("title", f"{escape(facts.name)} - halfopen"),
            f"<style>{css}</style>",
        )
    )
    body = "".join(
        (
            tag("a", "Skip to the results", href="#main", kind="skip"),
            tag(
                "header",
                tag("p", "halfopen: how long until this end notices", kind="kicker"),
                tag("h1", escape(facts.name)),
                tag("p", escape(sentence(facts)), kind="sum good" if good else "sum bad", id="sum"),
                _same(facts),
            ),
            tag("nav", tag("ul", links), aria_label="Sections"),
            tag("main", *(part.html for part in shown), id="main", tabindex="-1"),
            tag("footer", tag("p", "Times are seconds after the fault was in force. Made by halfopen.")),
        )
    )
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>{body}\n<script>{js}</script></body></html>\n'


def _same(facts: Facts) -> str:
    """What all cells have in common, as it would be typed."""
    words = [value if name == "fault" else f"--{name} {value}" for name, value in facts.same.items()]
    if not words or len(facts.cells) == 1:
        words = [facts.cells[0].cell] if len(facts.cells) == 1 else []
    return tag("p", "The same in all cells: ", tag("code", escape(" ".join(words)))) if words else ""


def _style() -> str:
    dark = f"@media (prefers-color-scheme:dark){{:root{{{variables(DARK)}}}}}"
    return f":root{{{variables(LIGHT)}}}{dark}{_read('page.css')}{style()}"


def _read(name: str) -> str:
    return files("harness.report.page").joinpath(name).read_text("utf-8")


def _policy(css: str, js: str) -> str:
    """Nothing but this very style and this very script."""
    return f"default-src 'none'; style-src {_hash(css)}; script-src {_hash(js)}; base-uri 'none'; form-action 'none'"


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
