"""How a connection ends: one file per ending, each with what is done, and what must be seen. Found by their files.

``base`` is what an ending is, ``stage`` the connection it plays on, ``seen`` what was seen there, ``states`` holds
sockets against packets, ``record`` is what is kept, ``trial`` and ``run`` take a command from its options to an exit
code. docs/endings.md tells what was measured.
"""

import importlib
import pkgutil
from functools import cache

from harness.endings.base import Script

# They need the lab, and listing the commands must be quick.
_ENGINE = frozenset({"run", "seen", "stage", "trial"})


@cache
def all_endings() -> dict[str, type[Script]]:
    """Return every ending by its command's name, in alphabetical order."""
    for module in pkgutil.iter_modules(__path__):
        if module.name not in _ENGINE:
            importlib.import_module(f"{__name__}.{module.name}")
    found = {kind.name: kind for kind in _below(Script) if "name" in vars(kind)}
    return dict(sorted(found.items()))


def _below(kind: type[Script]) -> list[type[Script]]:
    return [each for child in kind.__subclasses__() for each in [child, *_below(child)]]
