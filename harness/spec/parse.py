"""From what was typed to a value, or one line that names the allowed range (Refused, exit 2)."""

import re
from collections.abc import Callable
from pathlib import Path

from harness.errors import Refused
from harness.units import parse_duration


def whole(what: str, low: int, high: int, unit: str = "") -> Callable[[str], int]:
    """Return a parser of whole numbers from ``low`` to ``high``."""

    def parse(text: str) -> int:
        # Twenty digits are more than any range has, and fewer than int() refuses with an error of its own.
        if not re.fullmatch(r"[0-9]{1,20}", text.strip()) or not low <= int(text) <= high:
            raise Refused(f"{what}: {text!r} is refused; a whole number {unit}from {low} to {high} is allowed")
        return int(text)

    return parse


def whole_seconds(what: str, low: int, high: int) -> Callable[[str], int]:
    """Return a parser of durations that the kernel keeps in whole seconds."""

    def parse(text: str) -> int:
        seconds = parse_duration(text, what)
        if not low <= seconds <= high or seconds != int(seconds):
            raise Refused(f"{what}: {text!r} is refused; the kernel takes whole seconds from {low} to {high}")
        return int(seconds)

    return parse


def milliseconds(what: str, low: int, high: int) -> Callable[[str], int]:
    """Return a parser of durations that the kernel keeps in milliseconds."""

    def parse(text: str) -> int:
        exact = parse_duration(text, what) * 1000
        if not low <= exact <= high or round(exact) != round(exact, 6):
            raise Refused(f"{what}: {text!r} is refused; from {low}ms to {high}ms in whole milliseconds is allowed")
        return round(exact)

    return parse


def duration(what: str, low: float = 0.001, high: float = 31_536_000.0) -> Callable[[str], float]:
    """Return a parser of durations in seconds, any fraction."""

    def parse(text: str) -> float:
        seconds = parse_duration(text, what)
        if not low <= seconds <= high:
            raise Refused(f"{what}: {text!r} is refused; from {low:g} s to {high:g} s is allowed")
        return seconds

    return parse


def choice(what: str, *allowed: str) -> Callable[[str], str]:
    """Return a parser that takes one of ``allowed``."""

    def parse(text: str) -> str:
        if text not in allowed:
            raise Refused(f"{what}: {text!r} is unknown; allowed: {', '.join(allowed)}")
        return text

    return parse


def percentage(what: str) -> Callable[[str], float]:
    """Return a parser of a share in percent, more than 0 and at most 100."""

    def parse(text: str) -> float:
        try:
            value = float(text.strip().removesuffix("%"))
        except ValueError:
            value = -1.0
        if not 0 < value <= 100:
            raise Refused(f"{what}: {text!r} is refused; more than 0 and at most 100 is allowed")
        return value

    return parse


def folder(what: str) -> Callable[[str], Path]:
    """Return a parser of a folder's path, which need not be there yet."""

    def parse(text: str) -> Path:
        if not text.strip():
            raise Refused(f"{what}: an empty text names no folder; name one, or leave {what} out")
        return Path(text)

    return parse


def version(what: str) -> Callable[[str], str]:
    """Return a parser of kernel versions."""

    def parse(text: str) -> str:
        if not re.match(r"[0-9]+\.[0-9]+", text):
            raise Refused(f"{what}: {text!r} is no kernel version; write 6.1 or 5.15.163")
        return text

    return parse
