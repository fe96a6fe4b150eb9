"""Brings a fresh connection into a state. When it is there, the asking end's socket is bare: nothing of its program
looks at it, so that whatever came (data, FIN, an error) is still in the kernel for the check to find.

The asking end is the client, the other the server.
"""

from collections.abc import Awaitable, Callable

from harness.detectors.states import PENDING
from harness.faults.base import Fault
from harness.faults.crash import CrashServer
from harness.faults.fill_window import FillWindow
from harness.faults.freeze import FreezeServer
from harness.faults.no_fault import NoFault
from harness.scene.stage import Stage

# A send buffer of 16 KiB is full after a few of these.
_MOST_WRITES = 100

# Returns since when (s) nothing may have reached the asking end, where that is part of the state.
Bring = Callable[[Stage], Awaitable[float | None]]


async def _bare(stage: Stage) -> None:
    await stage.survivor.ask("bare")


async def _data(stage: Stage) -> None:
    await _bare(stage)
    await stage.peer.ask("write", count=PENDING)


async def _half(stage: Stage) -> None:
    await _bare(stage)
    await stage.peer.ask("close", how="half")


async def _fin(stage: Stage) -> None:
    await _bare(stage)
    await stage.peer.ask("close", how="graceful")


async def _fin_data(stage: Stage) -> None:
    await _data(stage)
    await stage.peer.ask("close", how="graceful")


async def _rst(stage: Stage) -> None:
    await _bare(stage)
    await stage.peer.ask("close", how="reset")


async def _rst_data(stage: Stage) -> None:
    await _data(stage)
    await stage.peer.ask("close", how="reset")


async def _idle(stage: Stage) -> float:
    await _bare(stage)
    return (await stage.fault.inject(stage)).after / 1e9


async def _unacked(stage: Stage) -> float:
    since = await _idle(stage)
    await stage.survivor.ask("call", call="send", count=1)
    return since


async def _zero(stage: Stage) -> None:
    """The window is closed and the send buffer full: what came free between the two is filled up."""
    await stage.fault.inject(stage)
    await _bare(stage)
    for _ in range(_MOST_WRITES):
        if "error" in await stage.survivor.ask("call", call="send", count=65536):
            return


async def _hung(stage: Stage) -> None:
    await _bare(stage)
    await stage.fault.inject(stage)


# How each state is brought about, and the fault that has a hand in it: it decides which processes the ends get.
WAYS: dict[str, tuple[type[Fault], Bring]] = {
    "quiet": (NoFault, _bare),
    "data": (NoFault, _data),
    "half": (NoFault, _half),
    "zero": (FillWindow, _zero),
    "fin": (NoFault, _fin),
    "fin+data": (NoFault, _fin_data),
    "rst": (NoFault, _rst),
    "rst+data": (NoFault, _rst_data),
    "idle": (CrashServer, _idle),
    "unacked": (CrashServer, _unacked),
    "hung": (FreezeServer, _hung),
}
