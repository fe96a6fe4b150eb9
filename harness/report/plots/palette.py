"""The colours of plots and page, light and dark.

Series: Okabe and Ito, "Color Universal Design" (2008), which the colour-blind tell apart, lightened for dark. Heat:
ColorBrewer's YlGnBu, whose lightness falls steadily; dark turns it round, so that more is always further from the
background. Nothing is told by colour alone: lines have dashes, marks have shapes, heat has numbers.
"""

from collections.abc import Mapping

_ROLES: Mapping[str, tuple[str, str]] = {
    "paper": ("#ffffff", "#14181d"),
    "raised": ("#f4f6f8", "#1e242b"),
    "ink": ("#1b1f24", "#e8ecf0"),
    "quiet": ("#545d68", "#a3adb8"),
    "rule": ("#d3d9e0", "#3a434d"),
    "link": ("#0a5ea8", "#6db8ff"),
    "bad": ("#b03a00", "#ff9a66"),
    "good": ("#00694d", "#4fd1a5"),
    "band": ("#f2d596", "#66512a"),
    "never": ("#e4e7eb", "#2c343d"),
    "series0": ("#0072b2", "#5db1ea"),
    "series1": ("#c05500", "#ff9a57"),
    "series2": ("#00805d", "#3ecfa0"),
    "series3": ("#a8437f", "#ee9cc6"),
    "series4": ("#8a6100", "#f0b840"),
    "series5": ("#3b7fa8", "#9ad4f5"),
    "series6": ("#545d68", "#a3adb8"),
    "series7": ("#6a4fb0", "#b9a4f5"),
}
_HEAT = ("#f7fcd0", "#e2f4b2", "#c0e6b5", "#86cfba", "#4db9c3", "#2f9bc4", "#235fa8", "#122f80")
HEAT_STEPS = len(_HEAT)
SERIES = 8
_DASHES = ("", "7 3", "2 3", "9 3 2 3", "5 5", "12 3", "1 2", "8 2 1 2 1 2")
# Whose text is white: the two darkest, in either theme.
_DARKEST = 2

LIGHT, DARK = 0, 1


def variables(theme: int) -> str:
    """Return the colours as CSS custom properties, for the page's own style."""
    return "".join(f"--{role}:{colours[theme]};" for role, colours in _ROLES.items())


def style() -> str:
    """Return the style of the plots for a browser, which knows whether it is dark."""
    return _fixed() + rules(LIGHT) + "@media (prefers-color-scheme:dark){" + rules(DARK) + "}"


def still() -> str:
    """Return the style for what cannot know: light."""
    return _fixed() + rules(LIGHT)


def rules(theme: int) -> str:
    """Return the rules that differ between light and dark."""
    of = {role: colours[theme] for role, colours in _ROLES.items()}
    heat = _HEAT if theme == LIGHT else _HEAT[::-1]
    found = [
        f".plot .paper{{fill:{of['paper']}}}",
        f".plot .ink{{fill:{of['ink']}}}",
        f".plot .quiet{{fill:{of['quiet']}}}",
        f".plot .warn{{fill:{of['bad']}}}",
        f".plot .rule{{stroke:{of['rule']}}}",
        f".plot .axis{{stroke:{of['quiet']}}}",
        f".plot .band{{fill:{of['band']}}}",
        f".plot .never{{fill:{of['never']};stroke:{of['rule']}}}",
        f".plot .exact{{stroke:{of['ink']}}}",
        f".plot .point{{stroke:{of['series0']}}}",
        f".plot .range{{stroke:{of['series0']}}}",
        f".plot .fault{{stroke:{of['bad']}}}",
        f".plot .odd{{stroke:{of['bad']}}}",
        f".plot .event{{fill:{of['series0']}}}",
        f".plot .stem{{stroke:{of['series0']}}}",
        f".plot .foretold{{stroke:{of['series1']}}}",
        f".plot .edge{{stroke:{of['paper']}}}",
    ]
    found += [f".plot .line{i}{{stroke:{of[f'series{i}']}}}.plot .text{i}{{fill:{of[f'series{i}']}}}" for i in range(8)]
    for step, colour in enumerate(heat):
        dark_cell = step >= HEAT_STEPS - _DARKEST if theme == LIGHT else step < _DARKEST
        on = "#ffffff" if dark_cell else "#10141a"
        found.append(f".plot .heat{step}{{fill:{colour}}}.plot .on{step}{{fill:{on}}}")
    return "".join(found)


def _fixed() -> str:
    dashes = "".join(f".plot .line{i}{{stroke-dasharray:{dash}}}" for i, dash in enumerate(_DASHES) if dash)
    return (
        ".plot text{font:12px system-ui,'DejaVu Sans','Liberation Sans','Noto Sans',Arial,sans-serif;"
        "font-variant-numeric:tabular-nums}"
        ".plot .head{font-weight:600;font-size:13px}.plot .small{font-size:11px}"
        ".plot .mid{text-anchor:middle}.plot .end{text-anchor:end}"
        ".plot path{fill:none}.plot .rule,.plot .axis{stroke-width:1}"
        ".plot .exact{stroke-width:2}.plot .range{stroke-width:2;stroke-opacity:.5}"
        ".plot .dots{stroke-linecap:round;stroke-width:6.5;stroke-opacity:.8}.plot .odd{stroke-width:2;fill:none}"
        ".plot .fault{stroke-width:1.5}.plot .stem{stroke-width:1.5}.plot .foretold{stroke-width:2;fill:none}"
        ".plot .curve{stroke-width:2;fill:none}.plot .mark{stroke-width:2;stroke-dasharray:none}"
        ".plot .edge{stroke-width:1}" + dashes
    )
