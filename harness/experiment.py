"""One trial, from what was asked to the record: open, be quiet, inject, wait, prove, heal, judge."""

import asyncio
import contextlib
from typing import Any, NamedTuple

import msgspec

from harness.events import Tell
from harness.faults import all_faults
from harness.faults.base import End
from harness.labs.agent import EndpointGone
from harness.labs.protocols import Lab, Mark, SocketSeen
from harness.predict import predict
from harness.predict.situation import Prediction, Situation
from harness.scene import survey, traffic
from harness.scene.opening import begin_connect, in_force, open_stage
from harness.scene.stage import Stage
from harness.scene.waiting import Watched, limit_s, never, watch
from harness.spec.cell import cell_of
from harness.spec.trial import Trial
from harness.turns import SETTING_UP, STRIKING, Turns
from harness.verdict import judge, lateness
from harness.verdict.explain import explain
from harness.verdict.proof import prove
from harness.verdict.record import Detection, FaultPart, Record


class Struck(NamedTuple):
    """The fault in force: when, and what was read right after it."""

    mark: Mark
    known: dict[str, Any]
    survivor: SocketSeen | None
    mapping: bool | None


async def run_trial(lab: Lab, trial: Trial, tell: Tell, turns: Turns | None = None) -> Record:
    """Run ``trial`` in ``lab`` and return its record. The fault is healed however this ends.

    ``turns``: one is held while setting up and while striking, so that many trials at once do not make each other late.
    """
    fault = all_faults()[trial.fault](**trial.options)
    turns = turns or Turns()
    lost = lab.lost_packets()
    async with turns.take(SETTING_UP):
        await lab.relate()
        await fault.prepare(lab)
        stage = await open_stage(lab, trial, fault, tell)
        stage.lost_before = lost
    try:
        if trial.traffic == "connect":
            return await _connect(stage, turns)
        async with turns.take(STRIKING):
            await traffic.begin(stage)
        await traffic.keep_quiet(stage)
        await fault.await_moment(stage)
        async with turns.take(STRIKING):
            struck = await _strike(stage)
        mark = struck.mark
        stage.meanwhile(traffic.write_later(stage, mark.at_s))
        situation = await survey.situation(stage, mark, struck.known)
        prediction = predict(situation)
        tell("prediction", prediction=prediction, fault_at=mark.at_s)
        at_once = trial.limit_s is None and never(stage, struck.survivor, prediction)
        until = lab.now() if at_once else mark.at_s + limit_s(stage, situation, prediction)
        tell("watching", until=until)
        watched = await watch(stage, mark, until, prediction)
        # Told again with what came after the fault: when a write got stuck, when a heartbeat was due.
        situation = await survey.situation(stage, mark, struck.known)
        evidence = await survey.evidence(stage, mark, struck.survivor, watched.until, struck.mapping)
        await lab.relate()
        return _record(stage, mark, situation, predict(situation), watched, evidence)
    finally:
        await _clear(stage)


async def _strike(stage: Stage) -> Struck:
    """Put the fault in force, look at what it left, and write if the traffic is to write at once."""
    fault = stage.fault
    stage.tell("injecting", fault=stage.trial.fault)
    mark = await fault.inject(stage)
    stage.tell("fault", at=mark.at_s, mark=mark)
    # Before the write: a peer that answers it with RST takes the socket away.
    survivor = await stage.survivor.host.socket(stage.flow)
    await traffic.strike(stage)
    known = await survey.at_fault(stage)
    mapping = await stage.lab.path.mapped(stage.flow) if fault.claim == "forgotten" else None
    return Struck(mark, known, survivor, mapping)


async def _connect(stage: Stage, turns: Turns) -> Record:
    """The trial of connect(): the fault is there first, and the clock starts when connect() is called."""
    async with turns.take(STRIKING):
        injected = await stage.fault.inject(stage)
        connecting = asyncio.create_task(begin_connect(stage))
        began = await stage.hears(stage.survivor, "connecting")
        mark = Mark(before=began["before"], after=began["before"], where=injected.where, peer="cut off")
        stage.tell("fault", at=mark.at_s, mark=mark)
        survivor = await stage.survivor.host.socket(stage.flow)
    try:
        stage.settings = await in_force(stage, began["settings"])
        stage.survivor_gone = True
        situation = await survey.situation(stage, mark, {})
        prediction = predict(situation)
        stage.tell("prediction", prediction=prediction, fault_at=mark.at_s)
        until = mark.at_s + limit_s(stage, situation, prediction)
        await asyncio.wait({connecting}, timeout=until - stage.lab.now())
        ended = connecting.result() if connecting.done() else None
    finally:
        connecting.cancel()
    # Where the fault let it through there is no sign: then the proof fails, and says so.
    sign = ended if ended is not None and "sign" in ended else None
    watched = Watched(sign=sign, until=until if ended is None else ended["at"] / 1e9)
    situation = await survey.situation(stage, mark, {})
    evidence = await survey.evidence(stage, mark, survivor, watched.until)
    await stage.lab.relate()
    return _record(stage, mark, situation, predict(situation), watched, evidence)


def _record(
    stage: Stage,
    mark: Mark,
    situation: Situation,
    prediction: Prediction,
    watched: Watched,
    evidence: survey.Evidence,
) -> Record:
    trial, fault = stage.trial, stage.fault
    alive = _alive(situation) or bool(evidence.mapping)
    owing = situation.unacked_at is not None
    detection = _detection(watched, mark, alive, owing, evidence)
    detection.by = judge.by(detection, prediction, detection.call)
    moved_s = stage.lab.moved_s()
    record = Record(
        experiment=trial.fault,
        cell=cell_of(trial, fault.options),
        trial=trial.number,
        settings=stage.settings,
        traffic=trial.traffic,
        survivor=trial.survivor,
        ipv=trial.ipv,
        lab=stage.lab.describe(),
        fault=FaultPart(
            kind=trial.fault,
            where=mark.where,
            quiet_s=None if situation.heard_at is None else mark.at_s - situation.heard_at,
            uncertainty_s=mark.uncertainty_s,
            healed_after_s=None if watched.healed is None else watched.healed.at_s - mark.at_s,
            options=fault.values,
        ),
        detection=detection,
        late_s=lateness.of(detection, watched.sign),
        prediction=prediction,
        agrees=judge.agrees(detection, prediction, mark.uncertainty_s + moved_s),
        proof=prove(fault.claim_for(trial.survivor), evidence),
        seen=survey.timeline(stage, mark.at_s),
        warnings=[*prediction.warnings, *_doubts(moved_s)],
    )
    return msgspec.structs.replace(record, why=explain(record))


def _doubts(moved_s: float) -> list[str]:
    if not moved_s:
        return []
    return [
        f"the hosts' clocks moved {moved_s * 1000:.1f} ms against each other during the trial, beyond the error stated:"
        " the detection time is uncertain by as much"
    ]


def _alive(situation: Situation) -> bool:
    """Whether the other end lives and can be reached, or soon: then any sign but its own goodbye is a mistake."""
    effect = situation.effect
    # Where only large packets vanish, a connection that has none to send is whole.
    small = effect.to_peer == "big-drop" and situation.traffic not in ("write", "stream")
    passes = (small or effect.to_peer in ("pass", "lossy")) and effect.to_survivor in ("pass", "lossy")
    return (passes or effect.heals_after_s is not None) and effect.peer in ("serves", "full")


def _detection(watched: Watched, mark: Mark, alive: bool, owing: bool, evidence: survey.Evidence) -> Detection:
    """``owing``: the survivor had data on the way, so there is a recovery to be late."""
    if watched.sign is not None:
        return judge.detected(watched.sign, mark.at_s, alive, evidence.rst_from_survivor_at)
    recovered = watched.flowed_at - mark.at_s if owing and watched.flowed_at is not None else None
    return Detection(
        verdict="survived" if alive and watched.answered is not False else "missed",
        watched_s=max(0.0, watched.until - mark.at_s),
        recovered_after_s=recovered,
    )


async def _clear(stage: Stage) -> None:
    """Heal, and take the connection away without a word, so that nothing of it is left for the next trial."""
    await stage.close()
    with contextlib.suppress(EndpointGone):
        await stage.fault.heal(stage)
    for end in (stage.survivor, stage.peer):
        await _drop(end)


async def _drop(end: End) -> None:
    with contextlib.suppress(EndpointGone):  # it was killed: that was the fault
        await end.ask("close", how="vanish")
