"""One check in one state, on a connection of its own: open, bring about, prove, ask, judge."""

import asyncio
import contextlib
from typing import Any

import msgspec

from harness.detectors.base import Detector, Expect, verdict
from harness.detectors.bring import WAYS
from harness.detectors.proof import Seen, proved
from harness.detectors.record import Cell, Cost, Expected, Proof
from harness.detectors.states import State
from harness.events import Tell
from harness.labs.agent import EndpointGone
from harness.labs.protocols import Lab
from harness.scene.opening import open_stage
from harness.scene.stage import Stage
from harness.spec.trial import Trial


async def ask(lab: Lab, detector: Detector, state: State, ipv: Any, turn: asyncio.Semaphore, tell: Tell) -> Cell:
    """Ask one check in one state. ``turn`` is held while the connection is opened and brought there."""
    expect = detector.expect(state.name)
    cell = Cell(
        check=detector.name,
        state=state.name,
        ipv=ipv,
        there=state.there,
        expected=expected(expect),
        kernel=lab.describe()["kernel"],
        proof=Proof(holds=False, missing="it was not brought about", seen=None),
    )
    kind, bring = WAYS[state.name]
    async with turn:
        stage = await open_stage(lab, Trial(fault=kind.name, ipv=ipv), kind(), tell)
    try:
        async with turn:
            cut_at = await bring(stage)
        seen, wrong = await proved(stage, state.name, cut_at)
        said = await stage.survivor.ask("check", check=detector.name)
        return judged(cell, state, expect, said, await _packets(stage, said), await _proof(stage, cut_at, seen, wrong))
    except (EndpointGone, TimeoutError) as error:
        failed = Proof(holds=False, missing=str(error) or "it did not come about in time", seen=None)
        return msgspec.structs.replace(cell, proof=failed)
    finally:
        await _clear(stage)


def judged(
    cell: Cell, state: State, expect: Expect, said: dict[str, Any], packets: dict[str, int], proof: Proof
) -> Cell:
    """Return the cell with what the check said and what it cost, set against what was expected."""
    then, errors = said["then"], said["error_pending"]
    cost = Cost(
        eaten=said["eaten"],
        swallowed=errors and then["end"] in ("EOF", "none"),
        sent=said["sent"],
        packets=packets,
    )
    cell = msgspec.structs.replace(
        cell,
        answer=said["answer"],
        saw=said["saw"],
        verdict=verdict(said["answer"], state.there),
        after_s=(said["after"] - said["before"]) / 1e9,
        cost=cost,
        then=then,
        proof=_with_pending(proof, said["pending"], state.pending),
    )
    differs = _differs(cell, expect)
    return msgspec.structs.replace(cell, differs=differs, agrees=not differs and cell.proof.holds)


def _differs(cell: Cell, expect: Expect) -> list[str]:
    """Return in what the cell is not as expected."""
    assert cell.cost is not None and cell.after_s is not None
    found = []
    if cell.verdict != expect.verdict:
        found.append(f"{cell.verdict} ({cell.saw}), not {expect.verdict}")
    if not expect.after_s <= cell.after_s <= expect.latest_s:
        found.append(f"after {cell.after_s:.3f} s, not {expect.after_s:g} to {expect.latest_s:g} s")
    for name in ("eaten", "sent", "swallowed"):
        is_, wanted = getattr(cell.cost, name), getattr(expect, name)
        if is_ != wanted:
            found.append(f"{name}: {is_}, not {wanted}")
    return found


def _with_pending(proof: Proof, pending: int, wanted: int) -> Proof:
    """The socket's own word (FIONREAD): of one that was reset, sock_diag tells nothing."""
    if pending == wanted:
        return proof
    missing = f"{pending} bytes pending, not {wanted}"
    return Proof(holds=False, missing=f"{proof.missing}; {missing}" if proof.missing else missing, seen=proof.seen)


async def _proof(stage: Stage, cut_at: float | None, seen: Seen, wrong: str | None) -> Proof:
    """Cut off it must still be after the answer: nothing may have got through meanwhile."""
    if wrong is None and cut_at is not None:
        await stage.lab.drain()
        through = len(stage.trace.to(stage.survivor.side, cut_at))
        wrong = f"{through} segments got through while the check was asked" if through else None
    return Proof(holds=wrong is None, missing=wrong, seen=seen)


async def _packets(stage: Stage, said: dict[str, Any]) -> dict[str, int]:
    await stage.lab.drain()
    counts: dict[str, int] = {}
    for segment in stage.trace.segments:
        if segment.sender == stage.survivor.side and said["before"] / 1e9 <= segment.at and segment.role != "ack":
            counts[segment.role] = counts.get(segment.role, 0) + 1
    return counts


def expected(expect: Expect) -> Expected:
    """Return the expectation as the record has it."""
    return Expected(
        verdict=expect.verdict,
        after_s=expect.after_s,
        latest_s=expect.latest_s,
        eaten=expect.eaten,
        sent=expect.sent,
        swallowed=expect.swallowed,
        why=expect.why,
    )


async def _clear(stage: Stage) -> None:
    """Take the connection away without a word, and wake or forget its peer."""
    await stage.close()
    with contextlib.suppress(EndpointGone):
        await stage.fault.heal(stage)
    for end in (stage.survivor, stage.peer):
        with contextlib.suppress(EndpointGone):
            await end.ask("close", how="vanish")
