"""Waits for the survivor's first sign, and knows when waiting is over.

Without ``--limit`` a trial ends when its outcome can no longer change: at the sign; at once where nothing is armed that
could ever fire; when an outage is over and the survivor has heard from its peer again; or when everything that could
have fired would have fired by now.
"""

import asyncio
import contextlib
from typing import Any

import msgspec

from harness.labs.protocols import Mark, SocketSeen
from harness.predict import predict
from harness.predict.situation import Effect, Prediction, Situation
from harness.scene.stage import Stage

# A prediction that is wrong must have time to show it.
LONGER, LONGER_S = 1.10, 2.0
_ANSWER_WITHIN_S = 2.0
_BLACK_HOLE = Effect(to_peer="drop", to_survivor="drop", peer="dead")


class Watched(msgspec.Struct, kw_only=True):
    """How the wait ended. Instants are CLOCK_MONOTONIC seconds.

    ``recovered_at``: the survivor heard from its peer again; ``flowed_at``: its data got through again.
    ``answered``: after an outage of which nothing was felt, the survivor asked, and the peer answered or did not.
    """

    sign: dict[str, Any] | None = None
    until: float
    healed: Mark | None = None
    recovered_at: float | None = None
    flowed_at: float | None = None
    answered: bool | None = None


def never(stage: Stage, survivor: SocketSeen | None, prediction: Prediction) -> bool:
    """Return whether it can be said at once, from the socket itself, that nothing will ever fire.

    No timer armed and nothing to send (sock_diag), and no detector of the program's own.
    """
    asked = stage.trial.asked
    own = asked.read_deadline_s is not None or asked.heartbeat_s is not None
    quiet = survivor is not None and survivor.timer == "none" and survivor.wqueue == 0
    silent = stage.trial.traffic in ("idle", "request", "listen") and stage.fault.effect("idle", "client").peer not in (
        "fin",
        "rst",
        "full",
    )
    return quiet and silent and not own and prediction.verdict in ("missed", "survived")


def limit_s(stage: Stage, situation: Situation, prediction: Prediction) -> float:
    """Return for how long to watch after the fault, in seconds."""
    if stage.trial.limit_s is not None:
        return stage.trial.limit_s
    ends = [prediction.latest_s, prediction.recovery_latest_s, situation.effect.heals_after_s]
    if prediction.latest_s is None:
        # Nothing is to be seen: watch for as long as the same settings would take if the peer were really gone.
        dead = predict(msgspec.structs.replace(situation, effect=_BLACK_HOLE, mapping_expires_at=None))
        ends.append(dead.latest_s)
    return max((end for end in ends if end is not None), default=0.0) * LONGER + LONGER_S


async def watch(stage: Stage, mark: Mark, until: float, wanted: Prediction) -> Watched:
    """Wait for the sign, for the end of an outage to be felt, or for ``until``."""
    heals_after = stage.fault.effect(stage.trial.traffic, stage.survivor.side).heals_after_s
    healing = None if heals_after is None else asyncio.create_task(_heal_at(stage, mark.at_s + heals_after))
    watched = Watched(until=until)
    try:
        while True:
            watched.sign = stage.said(stage.survivor, "sign")
            if watched.sign is not None:
                watched.until = watched.sign["at"] / 1e9
                break
            if healing is not None and healing.done():
                watched.healed = healing.result()
                watched.recovered_at = await _heard_again(stage, watched.healed)
                watched.flowed_at = _flows_again(stage, watched.healed)
                if watched.recovered_at is not None and wanted.verdict == "survived":
                    watched.until = stage.lab.now()
                    break
            if not await _something_new(stage, until, healing):
                break
        if watched.healed is not None and watched.sign is None and watched.recovered_at is None:
            watched.answered = await _answers(stage)
    finally:
        if healing is not None and not healing.done():
            healing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await healing
    return watched


async def _something_new(stage: Stage, until: float, healing: "asyncio.Task[Mark] | None") -> bool:
    """Wait for a packet, an event or the healing; return False where ``until`` came first."""
    left = until - stage.lab.now()
    if left <= 0:
        return False
    look = asyncio.create_task(stage.look_again())
    waiting: set[asyncio.Task[Any]] = {look}
    if healing is not None and not healing.done():
        waiting.add(healing)
    done, _ = await asyncio.wait(waiting, timeout=left, return_when=asyncio.FIRST_COMPLETED)
    if look not in done:
        look.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await look
    return bool(done)


async def _heal_at(stage: Stage, instant: float) -> Mark:
    await stage.until(instant)
    stage.healed = healed = await stage.fault.heal(stage)
    stage.tell("healed", at=healed.at_s)
    return healed


async def _answers(stage: Stage) -> bool:
    """Ping the peer and say whether it answers: the proof that a silent connection has survived."""
    before = sum(1 for event in stage.survivor.heard if event["event"] == "pong")
    await stage.survivor.ask("ping")
    try:
        async with asyncio.timeout(_ANSWER_WITHIN_S):
            while sum(1 for event in stage.survivor.heard if event["event"] == "pong") == before:
                await stage.look_again()
    except TimeoutError:
        return False
    return True


def _flows_again(stage: Stage, healed: Mark) -> float | None:
    """Return when the router first forwarded the survivor's data again, None where it has not."""
    side = stage.survivor.side
    sent = stage.trace.all(("data", "retransmission"), side, healed.before / 1e9)
    return next((s.left_at for s in sent if s.left_at is not None), None)


async def _heard_again(stage: Stage, healed: Mark) -> float | None:
    await stage.lab.drain()
    heard = stage.trace.to(stage.survivor.side, healed.before / 1e9)
    return next((s.left_at for s in heard if s.role not in ("icmp", "rst", "fin")), None)
