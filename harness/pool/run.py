"""From what was asked to an exit code: build the lab, run the strategies side by side, count, keep, show."""

import asyncio
import contextlib

from rich.console import Console
from rich.markup import escape

from harness.events import Tell, Teller
from harness.labs.ground import go_private
from harness.labs.local import NetnsLab
from harness.observe import machine
from harness.observe.kernel import this_kernel
from harness.pool import count, record, schedule, trouble
from harness.pool.fins import Fins
from harness.pool.options import Asked
from harness.pool.record import PoolRecord
from harness.pool.room import Room
from harness.pool.strategies import STRATEGIES
from harness.predict.situation import Kernel
from harness.report import pool as report
from harness.runner import INTERRUPTED, NOT_AS_PREDICTED, Wanted, in_loop, print_record
from harness.store.run import Run

# How much longer than planned a run may take, at most: every request may have to wait for its deadline.
_PATIENCE_S = 60.0


def run(asked: Asked, wanted: Wanted) -> int:
    """Run the strategies; return the exit code (0, 3 or 130). Raises HalfopenError where it cannot start or go on."""
    console = Console(stderr=True, highlight=False)
    with Run.create(wanted.results, "stale-pool") as kept:
        kernel = this_kernel()
        kept.describe(machine.metadata())
        go_private()
        records: list[PoolRecord] = []
        tell = Teller(kept.note)
        interrupted = in_loop(_all(asked, kernel, wanted, kept, tell, records, console), tell)
        if records:
            report.show(records, console)
    if interrupted:
        console.print(f"interrupted; what was seen is in {kept.folder}", soft_wrap=True, markup=False)
        return INTERRUPTED
    return 0 if all(each.evidence.holds for each in records) else NOT_AS_PREDICTED


async def _all(
    asked: Asked, kernel: Kernel, wanted: Wanted, kept: Run, tell: Tell, records: list[PoolRecord], console: Console
) -> None:
    lab = await NetnsLab.build(kernel, kept.folder / "packets.pcapng" if wanted.pcap else None)
    try:
        console.print(f"[bold]stale-pool[/]: {report.introduction(asked)}; {escape(str(kept.folder))}", soft_wrap=True)
        fins = Fins()
        lab.tap = fins.see
        await trouble.prepare(lab, asked)
        rooms = [Room(lab, asked, STRATEGIES[name], fins, tell) for name in asked.strategies]
        await _run_rooms(lab, asked, rooms, tell)
        await lab.drain()
        tell("ends", **fins.kept())
        for each in _records(asked, rooms, lab):
            records.append(each)
            kept.keep(each)
            if wanted.json:
                print_record(each, kept)
    finally:
        await lab.close()


async def _run_rooms(lab: NetnsLab, asked: Asked, rooms: list[Room], tell: Tell) -> None:
    for room in rooms:
        await room.serve()
    for room in rooms:
        await room.begin()
    striking = asyncio.create_task(trouble.strike(lab, asked, rooms, tell))
    try:
        # What has not come by then is missing from the evidence, which says so.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(asked.lasts_s * 2 + asked.deadline_s + _PATIENCE_S):
                for room in rooms:
                    await room.done.wait()
        if striking.done():
            striking.result()
    finally:
        striking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await striking
    for room in rooms:
        if room.serves:
            await room.collect()


def _records(asked: Asked, rooms: list[Room], lab: NetnsLab) -> list[PoolRecord]:
    controls = [time for room in rooms for time in count.control_times(room.seen)]
    lost = lab.lost_packets()
    made = []
    for room in rooms:
        seen = room.seen
        seen.lost_packets = lost
        made.append(
            PoolRecord(
                strategy=room.strategy.name,
                settings=_settings(asked, room.strategy.name),
                requests=asked.requests,
                longer_gaps=schedule.longer_share(asked.use),
                shares=count.shares(seen),
                checked=count.checked(seen),
                race=count.race(seen),
                latency=count.latency(seen, controls),
                signs=count.signs(seen),
                tries=sum(len(row.tries) for row in seen.rows),
                connections_opened=seen.opened,
                evidence=count.evidence(seen, asked.requests),
                lasted_s=room.ended - room.began,
                lab=lab.describe(),
            )
        )
    return made


def _settings(asked: Asked, strategy: str) -> record.Settings:
    nat, crashed = asked.server == "nat-forgot", asked.server == "crashed"
    again = asked.tries(strategy) > 1
    return record.Settings(
        server=asked.server,
        use=asked.use,
        close=asked.close,
        idle_timeout_s=None if nat else asked.idle_s,
        nat_timeout_s=asked.nat_s if nat else None,
        on_expiry=asked.on_expiry if nat else None,
        down_s=asked.down_s if crashed else None,
        connections=asked.pool,
        tries=asked.tries(strategy),
        prepare_s=asked.prepare_s,
        work_s=asked.work_s,
        deadline_s=asked.deadline_s,
        backoff_s=asked.backoff_s if strategy == "backoff" else None,
        hedge_after_s=asked.hedge_s if strategy == "hedge" else None,
        retry_on=asked.retry_on if again else None,
        ipv=asked.ipv,
        seed=asked.seed,
    )
