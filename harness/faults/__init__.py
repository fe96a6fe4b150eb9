"""What is done to a lab: one file per fault, each with its undoing. ``all_faults`` finds them by their files."""

import importlib
import pkgutil
from functools import cache

from harness.faults.base import Fault


@cache
def all_faults() -> dict[str, type[Fault]]:
    """Return every fault by its command's name, in alphabetical order."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    found = {kind.name: kind for kind in _below(Fault) if "name" in vars(kind)}
    return dict(sorted(found.items()))


def _below(kind: type[Fault]) -> list[type[Fault]]:
    return [each for child in kind.__subclasses__() for each in [child, *_below(child)]]
