"""What the connection is doing when the fault strikes (spec/trial.py has the words)."""

import asyncio

from harness.scene.stage import Stage

# One full segment on a 1500-byte path, IPv4 or IPv6, and more than fits through a shrunken MTU of 1280 to 1400.
WRITE_BYTES = 1420
STREAM_EVERY_NS = 10_000_000


async def begin(stage: Stage) -> None:
    """Start what goes on before the fault, and wait until it goes on."""
    traffic, survivor, peer = stage.trial.traffic, stage.survivor, stage.peer
    if traffic == "stream":
        await survivor.ask("small_send_buffer")
        await survivor.ask("stream", count=WRITE_BYTES, every=STREAM_EVERY_NS)
    elif traffic == "listen":
        await peer.ask("stream", count=WRITE_BYTES, every=STREAM_EVERY_NS)
    elif traffic == "request":
        await survivor.ask("request")
    elif traffic == "blocked":
        await peer.ask("pause")
        await survivor.ask("small_send_buffer")
        await survivor.ask("fill")
        await stage.window_closed()


async def keep_quiet(stage: Stage) -> None:
    """Wait until the survivor has heard nothing for ``quiet_s``; a connection that talks on is not waited for."""
    quiet = stage.trial.quiet_s
    if stage.trial.traffic in ("stream", "listen", "blocked") or stage.trial.asked.heartbeat_s is not None:
        await asyncio.sleep(quiet)
        return
    for _ in range(10):  # a delayed acknowledgment may begin the silence anew; it does so once
        due = await stage.last_passed() + quiet
        await stage.until(due)
        if await stage.last_passed() + quiet <= due:
            return


async def strike(stage: Stage) -> None:
    """Do what the traffic does right after the fault."""
    if stage.trial.traffic == "write" and not stage.trial.write_after_s:
        await _write(stage)


async def write_later(stage: Stage, fault_at: float) -> None:
    """Make the write that was asked for some time after the fault."""
    if stage.trial.write_after_s:
        await stage.until(fault_at + stage.trial.write_after_s)
        await _write(stage)


async def _write(stage: Stage) -> None:
    wrote = await stage.survivor.ask("write", count=WRITE_BYTES)
    stage.wrote_at = (wrote["before"] + wrote["after"]) / 2e9
