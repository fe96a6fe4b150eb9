"""One trial of an ending, from an open connection to its record."""

from collections.abc import Sequence

import msgspec

from harness.endings.base import Script, within
from harness.endings.record import Ending, Look
from harness.endings.seen import Seen
from harness.endings.stage import EndingStage
from harness.endings.states import disagreements
from harness.events import Tell
from harness.faults.base import Fault
from harness.labs.protocols import Lab
from harness.predict.situation import Kernel
from harness.scene.opening import open_stage
from harness.spec.sides import Side, other
from harness.spec.trial import Trial

_EFFECT_WITHIN_S = 0.05
_FIN_TIMEOUT = "net.ipv4.tcp_fin_timeout"


class _Nothing(Fault):
    """The connection is opened as for a fault that does nothing; one end has a process of its own."""

    own_process = True


async def run_ending(lab: Lab, kernel: Kernel, script: Script, trial: Trial, tell: Tell) -> Ending:
    """Play ``script`` on a new connection in ``lab``; return its record."""
    stage = EndingStage(await open_stage(lab, trial, _Nothing(), tell), script.closer)
    host = stage.closer.host
    before = await host.sysctl(_FIN_TIMEOUT)
    try:
        if script.fin_timeout_s is not None:
            await host.sysctl(_FIN_TIMEOUT, script.fin_timeout_s)
        for end in (stage.closer, stage.other):
            await end.ask("bare")
        await stage.quiet()
        await script.play(stage)
        await stage.settle()
        seen = Seen(
            closer=stage.closer.side,
            acts=stage.told(),
            looks=stage.watched(),
            packets=stage.packets(),
            hz=kernel.hz,
            fin_timeout_s=await host.sysctl(_FIN_TIMEOUT),
        )
        return _record(lab, script, trial, seen)
    finally:
        await host.sysctl(_FIN_TIMEOUT, before)
        await stage.clear()


def _record(lab: Lab, script: Script, trial: Trial, seen: Seen) -> Ending:
    missing = disagreements(seen.looks, seen.packets, seen.acts, seen.fin_timeout_s)
    if lab.lost_packets():
        missing.append(f"the capture had no room for {lab.lost_packets()} packets")
    what, effect_s = script.effect(seen)
    checks = [
        within(f"effect ({what})", -0.001, _EFFECT_WITHIN_S, effect_s, "an ending takes effect when it is asked for"),
        *script.checks(seen),
    ]
    return Ending(
        ending=script.name,
        trial=trial.number,
        asked=script.values,
        closer=seen.closer,
        ipv=trial.ipv,
        lab=lab.describe(),
        effect=what,
        effect_after_s=effect_s,
        acts=list(seen.acts),
        states=_changes(seen.looks),
        packets=list(seen.packets),
        bytes=[_told(seen, writer) for writer in (seen.closer, other(seen.closer))],
        consistent=not missing,
        missing=missing,
        expected=all(check.holds for check in checks),
        checks=checks,
        why=script.why(seen),
    )


def _told(seen: Seen, writer: Side) -> dict[str, object]:
    found = seen.bytes(writer)
    return {**msgspec.structs.asdict(found), "lost": found.lost}


def _changes(looks: Sequence[Look]) -> list[Look]:
    """Only the looks at which something had changed."""
    found: list[Look] = []
    last: dict[str, tuple[object, ...]] = {}
    for look in looks:
        key = (look.state, look.owned, look.timer, look.rqueue, look.wqueue)
        if last.get(look.side) != key:
            last[look.side] = key
            found.append(look)
    return found
