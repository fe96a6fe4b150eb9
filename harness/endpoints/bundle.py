"""Packs the endpoint programs so that they travel over a pipe: ``python3 -I -S -c STUB``, then the source on its input.

Nothing is written to the host's disk, and the host needs Python and nothing else.
"""

from __future__ import annotations

import json
from pathlib import Path

# In the order of their imports: each may use those before it.
_MODULES = (
    "loop",
    "wire",
    "signs",
    "options",
    "connection",
    "calls",
    "asking",
    "checks",
    "pool_checks",
    "pool_server",
    "pool_link",
    "pool",
    "pool_request",
    "pool_client",
    "endpoint",
    "agent",
)

_STUB = """
import sys, json, types
for name in ("harness", "harness.endpoints"):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = []
for name, source in json.loads(sys.stdin.buffer.readline()):
    module = types.ModuleType("harness.endpoints." + name)
    sys.modules[module.__name__] = module
    setattr(sys.modules["harness.endpoints"], name, module)
    exec(compile(source, "<halfopen " + name + ">", "exec"), module.__dict__)
sys.modules["harness.endpoints.agent"].main()
"""

COMMAND = ("-I", "-S", "-u", "-c", _STUB)


def source() -> bytes:
    """Return the one line that the stub reads: the modules' names and texts as JSON."""
    here = Path(__file__).parent
    return json.dumps([(name, (here / f"{name}.py").read_text()) for name in _MODULES]).encode() + b"\n"
