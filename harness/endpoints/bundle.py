"""Packs the endpoint programs so that they travel over a pipe: ``python3 -I -S -c STUB``, then the source on its input.

Nothing is written to the host's disk, and the host needs Python and nothing else.
"""

from __future__ import annotations

import json
from pathlib import Path

# What is imported only when it is asked for (the second group) costs an agent's start nothing but its bytes.
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
    "lease",
    "hand",
    "agent",
    # the hand's
    "facts",
    "jiffies",
    "netlink",
    "undo",
    "guard",
    "frames",
    "flows",
    "tap",
)
_HERE = Path(__file__).parent
_STUB = (_HERE / "stub.py").read_text()

COMMAND = ("-I", "-S", "-u", "-c", _STUB)


def source() -> bytes:
    """Return the one line that the stub reads."""
    texts = {name: (_HERE / f"{name}.py").read_text() for name in _MODULES}
    return json.dumps(["agent", texts, _STUB]).encode() + b"\n"
