"""A cell: everything that distinguishes one experiment from another, as one line of text.

It is what would be typed: the fault, its own options, the settings, the traffic, the survivor, the IP version, and what
else was not left at its default. Equal for all repeats of a cell, whatever run they belong to; values are in the order
of the options. A bare number is seconds, as on the command line.
"""

from collections.abc import Iterable
from typing import Any

from harness.spec.options import SETTINGS, TRIAL, Option
from harness.spec.trial import Trial

# Said always: the rest of a cell's text is what differs from the defaults.
_ALWAYS = ("traffic", "survivor", "ipv")


def cell_of(trial: Trial, own: Iterable[Option] = ()) -> str:
    """Return the text of the cell that ``trial`` is one of. ``own``: the options of its fault."""
    words = [trial.fault]
    words += [_word(o, trial.options.get(o.name, o.default)) for o in own if _differs(o, trial.options.get(o.name))]
    for option in SETTINGS:
        value = getattr(trial.asked, option.field)
        if _differs(option, value):
            words.append(_word(option, value))
    for option in sorted(TRIAL, key=lambda o: o.name not in _ALWAYS):
        value = getattr(trial, option.field)
        if option.name in _ALWAYS or _differs(option, value):
            words.append(_word(option, value))
    return " ".join(words)


def _differs(option: Option, value: Any) -> bool:
    return value is not None and value != option.default


def _word(option: Option, value: Any) -> str:
    return f"{option.name}={spell(option, value)}"


def spell(option: Option, value: Any) -> str:
    """Return a value as it is typed: 5, 0.5 (seconds), 1500ms, idle."""
    if isinstance(value, float):
        text = f"{value:.9f}".rstrip("0").rstrip(".")
        return text or "0"
    if option.field.endswith("_ms"):
        return f"{value}ms" if value % 1000 else str(value // 1000)
    return str(value)
