"""What makes two runs comparable: the class of the machine that each was made on, from its machine.json.

Of the same class are machines whose timers behave alike: the kernel's major and minor version, the processor's kind,
the tick, the clock that the kernel reads, and the number of CPUs, on which a busy machine's lateness depends.
"""

import re
from pathlib import Path
from typing import Any

import msgspec

_CLASS = ("kernel", "machine", "hz", "clocksource", "cpus", "lab")
_WORDS = {"hz": "HZ={}", "clocksource": "clock {}", "cpus": "{} CPUs", "kernel": "Linux {}", "lab": "in {}"}
# What moves times beside the class, and is worth a line when it differs.
_TOLD = ("kernel", "python")


def described(folder: Path) -> dict[str, Any]:
    """Return what the run's machine.json says; empty where there is none that can be read."""
    try:
        found = msgspec.json.decode((folder / "machine.json").read_bytes())
    except (OSError, msgspec.MsgspecError):
        return {}
    return found if isinstance(found, dict) else {}


def class_of(machine: dict[str, Any]) -> dict[str, Any]:
    """Return what decides which runs are compared; what is not known is None."""
    kernel = re.match(r"[0-9]+\.[0-9]+", str(machine.get("kernel", "")))
    found = {name: machine.get(name) for name in _CLASS}
    return {**found, "kernel": kernel[0] if kernel else None, "lab": machine.get("lab", "netns")}


def said(machine_class: dict[str, Any]) -> str:
    """Return a class in words: "Linux 6.18, x86_64, HZ=250, clock tsc, 2 CPUs"."""
    usual = {"lab": "netns"}
    words = [
        _WORDS.get(name, "{}").format(value)
        for name, value in machine_class.items()
        if value is not None and value != usual.get(name)
    ]
    return ", ".join(words) or "unknown"


def differences(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Return a line for everything in which the machines differ and which can move a time."""
    one, other = class_of(before), class_of(after)
    lines = [_line(name, one[name], other[name]) for name in _CLASS if name not in _TOLD and one[name] != other[name]]
    lines += [_line(name, before.get(name), after.get(name)) for name in _TOLD if before.get(name) != after.get(name)]
    sysctls = before.get("lab_sysctls") or {}, after.get("lab_sysctls") or {}
    names = sorted(set(sysctls[0]) | set(sysctls[1])) if all(sysctls) else []
    lines += [
        _line(name, sysctls[0].get(name), sysctls[1].get(name))
        for name in names
        if sysctls[0].get(name) != sysctls[1].get(name)
    ]
    return lines


def _line(name: str, before: Any, after: Any) -> str:
    return f"{name}: {after}, before {before}"
