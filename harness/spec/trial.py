"""One execution of an experiment, as asked for."""

from typing import Any, Literal

import msgspec

from harness.spec.settings import Asked

Traffic = Literal["idle", "write", "stream", "request", "listen", "blocked", "connect"]

TRAFFIC: dict[str, str] = {
    "idle": "nothing is under way",
    "write": "the survivor writes once, just after the fault",
    "stream": "the survivor writes on and on",
    "request": "the survivor's request awaits its answer",
    "listen": "the peer streams, the survivor only reads",
    "blocked": "the peer does not read: the window is closed",
}


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """``fault``: its name, with ``options`` of its own. ``limit_s`` None: as long as the prediction says, and a bit.

    ``write_after_s``: how long after the fault the write of traffic "write" is made.
    """

    fault: str
    options: dict[str, Any] = {}
    asked: Asked = Asked()
    traffic: Traffic = "idle"
    survivor: Literal["client", "server"] = "client"
    ipv: Literal[4, 6] = 4
    quiet_s: float = 0.2
    write_after_s: float = 0.0
    limit_s: float | None = None
    number: int = 0
