"""Opens a real connection through the lab and sets up the survivor: options, detectors, and what they read back as."""

import itertools
from typing import Any

import msgspec

from harness.events import Tell
from harness.faults.base import End, Fault
from harness.labs.protocols import Flow, Lab
from harness.scene.stage import Stage
from harness.spec.settings import Asked, Settings
from harness.spec.sides import SIDES, Side, other
from harness.spec.trial import Trial

_numbers = itertools.count()
_RETRIES2 = "net.ipv4.tcp_retries2"
_SOCKET_OPTIONS = ("idle_s", "interval_s", "count", "user_timeout_ms", "rto_max_ms", "syn_count")


async def open_stage(lab: Lab, trial: Trial, fault: Fault, tell: Tell) -> Stage:
    """Return the stage with its connection established and the survivor's settings in force.

    For traffic "connect" the client's socket has its port and nothing has been sent yet.
    Raises Refused where the kernel refuses a setting, EndpointGone where a process does not answer.
    """
    conn = f"c{next(_numbers)}"
    ends: dict[Side, End] = {}
    for side in SIDES:
        own = fault.own_process and side == other(trial.survivor)
        host = lab.client if side == "client" else lab.server
        ends[side] = End(side, host, await host.endpoint(f"{conn}-peer" if own else "main"), conn)
    small = trial.traffic == "blocked" or fault.closes_window
    address = lab.server.address(trial.ipv)
    await _set_retries(ends[trial.survivor], trial.asked)
    listening = await ends["server"].ask("listen", host=address, small=small and trial.survivor == "client")
    bound = await ends["client"].ask(
        "bind", host=lab.client.address(trial.ipv), small=small and trial.survivor == "server"
    )
    flow = Flow(ipv=trial.ipv, client_port=bound["port"], server_port=listening["port"])
    stage = Stage(lab, trial, fault, flow, ends, tell)
    await stage.watch()
    if trial.traffic != "connect":
        await _establish(stage, ends, address)
        await _set_up_survivor(stage)
    return stage


async def begin_connect(stage: Stage) -> dict[str, Any]:
    """Connect with the survivor's settings already on the socket; return how it ended: this may take minutes."""
    address = stage.lab.server.address(stage.trial.ipv)
    return await stage.survivor.ask(
        "connect", host=address, port=stage.flow.server_port, asked=_options(stage.trial.asked)
    )


async def _establish(stage: Stage, ends: dict[Side, End], address: str) -> None:
    await ends["client"].ask("connect", host=address, port=stage.flow.server_port)
    await stage.hears(ends["server"], "accepted")
    # One ping each way: the programs, not just the kernels, have met, and both ends have measured the round trip.
    for side in SIDES:
        await ends[side].ask("ping")
        await stage.hears(ends[side], "pong")


async def _set_up_survivor(stage: Stage) -> None:
    asked, survivor = stage.trial.asked, stage.survivor
    done = await survivor.ask("set", asked=_options(asked))
    if done["armed"] is not None:
        stage.armed_at = done["armed"] / 1e9
    stage.settings = await in_force(stage, done["settings"])
    if asked.read_deadline_s is not None:
        await survivor.ask("bound_reads", deadline=round(asked.read_deadline_s * 1e9), by=asked.deadline_by)
    if asked.write_deadline_s is not None:
        await survivor.ask("bound_writes", deadline=round(asked.write_deadline_s * 1e9))
    if asked.heartbeat_s is not None:
        await survivor.ask("heartbeat", every=round(asked.heartbeat_s * 1e9), misses=asked.heartbeat_misses)


async def in_force(stage: Stage, read_back: dict[str, Any]) -> Settings:
    """Return the settings as the survivor's socket and its namespace have them, with the program's own detectors."""
    asked, host = stage.trial.asked, stage.survivor.host
    known = {name: value for name, value in read_back.items() if name in Settings.__struct_fields__}
    return msgspec.structs.replace(
        Settings(
            read_deadline_s=asked.read_deadline_s,
            write_deadline_s=asked.write_deadline_s,
            deadline_by=asked.deadline_by,
            heartbeat_s=asked.heartbeat_s,
            heartbeat_misses=asked.heartbeat_misses,
            retries2=await host.sysctl(_RETRIES2),
            syn_linear=await host.sysctl("net.ipv4.tcp_syn_linear_timeouts", missing=0),
        ),
        **known,
    )


async def _set_retries(survivor: End, asked: Asked) -> None:
    """tcp_retries2 belongs to the network namespace: what an earlier trial set must not stay."""
    if asked.retries2 is None:
        await survivor.host.restore(_RETRIES2)
    else:
        await survivor.host.sysctl(_RETRIES2, asked.retries2)


def _options(asked: Asked) -> dict[str, int]:
    given = {name: value for name in _SOCKET_OPTIONS if (value := getattr(asked, name)) is not None}
    return given | ({"keepalive": 1} if asked.idle_s is not None else {})
