"""What the page's sections are made of: elements, sections with a heading, figures with a text alternative."""

from collections.abc import Sequence
from itertools import count

import msgspec

from harness.report.plots.svg import Panel, Plot, document, escape

WIDE, NARROW = 800.0, 320.0


class Section(msgspec.Struct, frozen=True):
    """``name``: its anchor; ``link``: what the list of sections calls it."""

    name: str
    link: str
    html: str


class Choice(msgspec.Struct, frozen=True):
    """One of several things of which one is shown at a time."""

    label: str
    html: str


def tag(name: str, *content: str, **attributes: object) -> str:
    """Return an HTML element. ``content`` is markup; None leaves an attribute out, True has no value."""
    spelled = "".join(
        f" {_key(key)}" + ("" if value is True else f'="{escape(value)}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    return f"<{name}{spelled}>{''.join(content)}</{name}>"


def _key(key: str) -> str:
    return {"kind": "class", "for_": "for"}.get(key, key.replace("_", "-"))


def section(name: str, title: str, *content: str) -> Section:
    heading = tag("h2", escape(title), id=f"{name}-heading")
    html = tag("section", heading, *content, id=name, aria_labelledby=f"{name}-heading")
    return Section(name, name.replace("-", " ").capitalize(), html)


def note(text: str) -> str:
    return tag("p", escape(text), kind="note")


def pictures(panels: Sequence[Panel], name: str, kind: str = "") -> str:
    """Return panels beside each other, as far as there is room; what is wider than the screen scrolls on its own."""
    return "".join(
        tag("div", document(panel, name=f"{name}-{i}"), kind=f"picture {kind}".strip())
        for i, panel in enumerate(panels)
    )


def figure(wide: Plot, narrow: Plot) -> str:
    """Return a plot twice, drawn for a wide screen and for a phone, of which a reader meets one."""
    return pictures(wide.panels, f"{wide.name}-w", "wide") + pictures(narrow.panels, f"{narrow.name}-n", "narrow")


def chooser(name: str, label: str, choices: Sequence[Choice]) -> str:
    """Return ``choices`` with a list to choose one from; without the page's script, all of them stand there."""
    if len(choices) == 1:
        return choices[0].html
    numbers = count()
    options = "".join(tag("option", escape(choice.label), value=f"{name}-{next(numbers)}") for choice in choices)
    select = tag("select", options, id=f"{name}-choice", data_choice=name)
    head = tag("p", tag("label", escape(label), for_=f"{name}-choice"), " ", select, kind="chooser", hidden=True)
    body = "".join(
        tag("div", choice.html, id=f"{name}-{i}", data_of=name, role="group", aria_label=choice.label)
        for i, choice in enumerate(choices)
    )
    return head + body
