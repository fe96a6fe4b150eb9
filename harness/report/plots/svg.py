"""SVG as text: elements with their attributes escaped, and panels that the page and the files put together.

Lengths are CSS pixels. XML 1.0 (2.2) has no control characters: what comes from outside is cleaned of them.
"""

import re
from collections.abc import Iterable
from typing import Any

import msgspec

_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"})
# A digit of the system's sans-serif is 0.55 to 0.64 of its size; the wider keeps labels from touching.
_CHARACTER = 0.6
NAMESPACE = "http://www.w3.org/2000/svg"


class Panel(msgspec.Struct, frozen=True, kw_only=True):
    """One drawing. ``title`` names it, ``says`` tells what it shows to who cannot see it; ``body`` is SVG."""

    width: float
    height: float
    title: str
    says: str
    body: str


class Plot(msgspec.Struct, frozen=True, kw_only=True):
    """What belongs together. ``name``: of its file; ``title``: for a person; ``note``: how to read it.

    ``abreast``: how many panels stand beside each other in a file.
    """

    name: str
    title: str
    note: str
    panels: list[Panel]
    abreast: int = 1


def clean(text: object) -> str:
    """Return ``text`` without the characters that XML cannot hold."""
    return _NO_XML.sub("\ufffd", str(text))


def escape(text: object) -> str:
    """Return ``text`` for the inside of an element or an attribute, of HTML and of XML."""
    return clean(text).translate(_ESCAPES)


def element(name: str, *content: str, **attributes: Any) -> str:
    """Return an element. ``content`` is markup; None leaves an attribute out; ``kind`` is its class."""
    spelled = "".join(
        f' {"class" if key == "kind" else key.rstrip("_").replace("_", "-")}="{_value(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    inside = "".join(content)
    return f"<{name}{spelled}>{inside}</{name}>" if inside else f"<{name}{spelled}/>"


def text(x: float, y: float, what: object, kind: str = "ink", **attributes: Any) -> str:
    return element("text", escape(what), x=x, y=y, kind=kind, **attributes)


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return element("path", d=f"M{number(x1)} {number(y1)}L{number(x2)} {number(y2)}", kind=kind)


def rectangle(x: float, y: float, width: float, height: float, kind: str, *content: str, **attributes: Any) -> str:
    return element("rect", *content, x=x, y=y, width=width, height=height, kind=kind, **attributes)


def dots(places: Iterable[tuple[float, float]], kind: str) -> str:
    """Return all ``places`` as one path of lines without length, which round caps make points: ten bytes for each."""
    drawn = "".join(f"M{number(x)} {number(y)}h0" for x, y in places)
    return element("path", d=drawn, kind=f"dots {kind}") if drawn else ""


def crosses(places: Iterable[tuple[float, float]], radius: float, kind: str) -> str:
    """Return all ``places`` as one path of crosses."""
    r, twice = radius, number(2 * radius)
    drawn = "".join(
        f"M{number(x - r)} {number(y - r)}l{twice} {twice}M{number(x - r)} {number(y + r)}l{twice} -{twice}"
        for x, y in places
    )
    return element("path", d=drawn, kind=kind) if drawn else ""


def group(*content: str, **attributes: Any) -> str:
    return element("g", *content, **attributes)


def document(panel: Panel, style: str = "", name: str = "", scale: float = 1.0) -> str:
    """Return ``panel`` as an SVG element: with ``style`` for a file; with ``name``, its id, for a page."""
    labels = f"{name}-title {name}-says" if name else None
    return element(
        "svg",
        element("title", escape(panel.title), id=f"{name}-title" if name else None),
        element("desc", escape(panel.says), id=f"{name}-says" if name else None),
        f"<style>{style}</style>" if style else "",
        panel.body,
        xmlns=None if name else NAMESPACE,
        viewBox=f"0 0 {number(panel.width)} {number(panel.height)}",
        width=panel.width * scale,
        height=panel.height * scale,
        kind="plot",
        role="img",
        aria_labelledby=labels,
    )


def number(value: float) -> str:
    """Return a coordinate as short as it can be: a hundredth of a pixel is not seen."""
    shown = f"{value:.1f}"
    return shown[:-2] if shown.endswith(".0") else shown


def width_of(what: str, size: float = 12.0) -> float:
    """Return how much room ``what`` takes, rather too much than too little."""
    return len(what) * size * _CHARACTER


def fitted(what: str, room: float, size: float = 12.0) -> str:
    """Return ``what``, its end left out where it does not fit."""
    most = max(1, int(room / (size * _CHARACTER)))
    return what if len(what) <= most else what[: most - 1] + "…"


def _value(value: object) -> str:
    return number(value) if isinstance(value, float) else escape(value)
