"""Value lists on the command line: ``--keepalive 5,10,30``. The same product as in a file, with the same options."""

from collections.abc import Mapping
from typing import Any

from harness.errors import Refused
from harness.spec.options import Option
from harness.sweep.file import Asked
from harness.sweep.matrix import FAULT, Product, check, options

NAME = "sweep"
# The question that most come with.
_STANDARD = "crash-client"


def as_lists() -> tuple[Option, ...]:
    """Return an option for each that can have a list of values."""
    faults = Option(FAULT, f"the faults to put in force, one or more: crash-client,cut-link ({_STANDARD})", str)
    return (faults, *(Option(option.name, f"{option.help}; a list", str) for option in options().values()))


def given(typed: Mapping[str, Any]) -> dict[str, str]:
    """Return the lists that were typed, by their options' names."""
    return {o.name: str(typed[o.parameter]) for o in as_lists() if typed.get(o.parameter) is not None}


def load(typed: Mapping[str, Any], repeat: int | None = None, seed: int | None = None) -> Asked:
    """Return what the typed lists ask. Raises Refused."""
    texts = {name: _texts(name, text) for name, text in given(typed).items()}
    if not texts:
        raise Refused(f"what is to be run? name a file, or values: --{FAULT} crash-client,cut-link --keepalive 5,10,30")
    faults = texts.pop(FAULT, (_STANDARD,))
    product = Product(faults=faults, values=texts, repeat=repeat or 1)
    check(product)
    source = " ".join(f"--{name} {text}" for name, text in given(typed).items())
    name = faults[0] if len(faults) == 1 else NAME
    return Asked(name=name, products=(product,), seed=seed or 0, source=source)


def _texts(name: str, text: str) -> tuple[str, ...]:
    texts = [part.strip() for part in text.split(",")]
    if "" in texts:
        raise Refused(f"--{name}: {text!r} is refused; values with a comma between two are allowed: 5,10,30")
    return tuple(dict.fromkeys(texts))
