"""Durations as people write them (``30``, ``500ms``, ``2m``, ``1h30m``) and as the program keeps them: in seconds."""

import re

from harness.errors import Refused

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)")
_PLAIN = re.compile(r"[0-9]+(?:\.[0-9]+)?")


def parse_duration(text: str, what: str = "duration") -> float:
    """Return ``text`` in seconds. A bare number is seconds.

    Raises Refused, naming ``what``, if ``text`` is not a duration.
    """
    text = text.strip()
    if _PLAIN.fullmatch(text):
        return float(text)
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise Refused(f"{what}: {text!r} is not a duration; write 30, 500ms, 2m or 1h30m")
    # Rounded to the nanosecond, because 0.001 * 500 need not be 0.5.
    return round(sum(float(number) * _SECONDS[unit] for number, unit in parts), 9)


def format_duration(seconds: float) -> str:
    """Return ``seconds`` for a person: 0.35 -> '350 ms', 61.93 -> '61.93 s', 7875 -> '2 h 11 min'."""
    if seconds < 0:
        return "-" + format_duration(-seconds)
    if seconds < 0.9995:
        return f"{seconds * 1000:.3g} ms"
    if seconds < 600:
        return f"{seconds:.2f}".rstrip("0").rstrip(".") + " s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{seconds / 60:.1f}".rstrip("0").rstrip(".") + " min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"
