"""Plots as files: SVG as it is drawn, PNG made of the same SVG by resvg (the extra ``halfopen[plots]``)."""

from collections.abc import Iterator
from importlib.util import find_spec

from harness.errors import Unavailable
from harness.report.facts import Facts
from harness.report.plots.deviation import deviation
from harness.report.plots.distribution import distribution
from harness.report.plots.heatmap import heat_maps
from harness.report.plots.palette import still, style
from harness.report.plots.survival import survival
from harness.report.plots.svg import Panel, Plot, document, element, fitted, group, number, text, width_of
from harness.report.plots.trial import chosen, timeline

WIDTH = 800.0
_MARGIN, _HEAD, _GAP = 20.0, 44.0, 24.0
_MOST_TRIALS = 4
# Twice the pixels: for screens that have them, and for print.
_ZOOM = 2.0
_NO_RESVG = "PNG needs resvg: install halfopen[plots] (pip install resvg-py), or ask for svg"
_NO_FONTS = "PNG needs a font, and this machine has none: apt-get install fonts-dejavu-core, or ask for svg"


def plots(facts: Facts, number: int | None = None) -> Iterator[Plot]:
    """Return every plot of the run, as the files have them. ``number``: a trial that is to have a timeline."""
    yield from heat_maps(facts)
    yield survival(facts, WIDTH)
    whole = distribution(facts, WIDTH)
    for i, panel in enumerate(whole.panels):
        name = whole.name if len(whole.panels) == 1 else f"{whole.name}-{i + 1:02}"
        yield Plot(name=name, title=panel.title, note=whole.note, panels=[panel])
    far = deviation(facts, WIDTH)
    if far is not None:
        yield far
    for record in chosen(facts, _MOST_TRIALS, number):
        yield timeline(record, WIDTH)


def svg(plot: Plot) -> str:
    """Return ``plot`` as an SVG file: light or dark as its reader is."""
    return document(_sheet(plot), style())


def ready() -> None:
    """Raise Unavailable where PNG cannot be made: resvg or a font is missing."""
    if find_spec("resvg_py") is None:
        raise Unavailable(_NO_RESVG)
    if not _has_fonts():
        raise Unavailable(_NO_FONTS)


def png(plot: Plot) -> bytes:
    """Return ``plot`` as PNG, light. Needs what ``ready`` looks for."""
    import resvg_py

    return bytes(resvg_py.svg_to_bytes(svg_string=document(_sheet(plot), still()), zoom=_ZOOM))


def _has_fonts() -> bool:
    """Whether a letter leaves a trace: without any font, resvg draws none and does not say so."""
    import resvg_py

    def drawn(body: str) -> bytes:
        panel = Panel(width=20, height=20, title="", says="", body=body)
        return bytes(resvg_py.svg_to_bytes(svg_string=document(panel, still())))

    return drawn("") != drawn(text(2, 16, "M"))


def _sheet(plot: Plot) -> Panel:
    """Put the panels of ``plot`` beside and below each other, under its title, on paper."""
    widest = max((panel.width for panel in plot.panels), default=0.0)
    room = max(width_of(plot.title, 13), min(plot.abreast, len(plot.panels)) * (widest + _GAP) - _GAP)
    placed = []
    y = _HEAD
    for i in range(0, len(plot.panels), plot.abreast):
        row = plot.panels[i : i + plot.abreast]
        for j, panel in enumerate(row):
            x = _MARGIN + j * (widest + _GAP)
            placed.append(group(panel.body, transform=f"translate({number(x)} {number(_MARGIN + y)})"))
        y += max(panel.height for panel in row) + _GAP
    width, height = room + 2 * _MARGIN, y - _GAP + 2 * _MARGIN
    paper = element("rect", width=width, height=height, kind="paper")
    head = text(_MARGIN, _MARGIN + 16, fitted(plot.title, room, 13), "ink head")
    says = " ".join(panel.says for panel in plot.panels)
    return Panel(width=width, height=height, title=plot.title, says=says, body="".join((paper, head, *placed)))
