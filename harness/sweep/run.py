"""From a plan to an exit code: have the engine run it, keep the records, sum up. Or say what it would be."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
from rich.console import Console

from harness.engine import Job, Rules
from harness.faults import all_faults
from harness.labs.place import Place
from harness.limits import most_at_once
from harness.observe import jiffies
from harness.predict.situation import Kernel
from harness.report import facts, sums
from harness.report.show import cells_table
from harness.rooms import first_the_long, rooms
from harness.runner import INTERRUPTED, NOT_AS_PREDICTED, Task, Wanted, carry_out, heed_signals, print_record
from harness.spec.cell import cell_of
from harness.spec.trial import Trial
from harness.store.cells import standing
from harness.store.disk import disk_line
from harness.store.find import started
from harness.store.reading import read
from harness.store.run import Run
from harness.sweep import outlast, plan, resume
from harness.sweep.file import Asked
from harness.sweep.matrix import Made, make
from harness.sweep.plan import Sweep
from harness.sweep.progress import Progress
from harness.units import format_duration
from harness.verdict.record import Record

# A longer table is for `invoke show`.
_MOST_ROWS = 40
_USUAL_HZ = 250


class Planned(msgspec.Struct):
    """A sweep, ready to be run: its trials in their order, and how long each will last, by its number."""

    sweep: Sweep
    trials: list[Trial]
    lasts: dict[int, float]
    made: Made


def planned(asked: Asked, sweep: Sweep) -> Planned:
    """Return the plan of what was asked. Raises Refused where nothing is left to run."""
    made = make(asked.products)
    trials = plan.order(made.trials, sweep.seed, sweep.shard)
    lasts = _lasts(trials)
    each = [lasts[trial.number] for trial in trials]
    return Planned(sweep, first_the_long(each, trials, outlast.EACH_S), lasts, made)


def run(what: Planned, wanted: Wanted, place: Place) -> int:
    """Run the whole sweep in a new folder; return the exit code: 0, 3 or 130. Raises HalfopenError."""
    console = Console(stderr=True, highlight=False)
    heed_signals()
    with Run.create(wanted.results, what.sweep.name) as kept:
        plan.write(kept.folder, what.sweep, what.trials)
        _introduce(what, place, console)
        console.print(f"  {kept.folder}", soft_wrap=True, markup=False)
        return _carry_out([Job(trial) for trial in what.trials], what, wanted, place, kept, console)


def go_on(folder: Path, wanted: Wanted, place: Place) -> int:
    """Run what is left of the sweep in ``folder``; return the exit code of the whole. Raises HalfopenError."""
    console = Console(stderr=True, highlight=False)
    heed_signals()
    sweep, trials = plan.read(folder)
    with Run.reopen(folder) as kept:
        jobs = resume.left(trials, resume.briefs(folder), sweep.again)
        console.print(
            f"[bold]{sweep.name}[/]: {len(trials) - len(jobs)} of {len(trials)} trials are done; {kept.folder}",
            soft_wrap=True,
        )
        what = Planned(sweep, trials, _lasts([job.trial for job in jobs]), Made())
        if not jobs:
            return _sum_up(folder, what, 0, console)
        return _carry_out(jobs, what, wanted, place, kept, console)


def dry_run(what: Planned, place: Place) -> None:
    """Say what would be run, on standard output."""
    console = Console(highlight=False)
    _introduce(what, place, console)
    cells = {cell_of(trial, all_faults()[trial.fault].options) for trial in what.trials}
    for text in sorted(cells)[:_MOST_ROWS]:
        console.print(f"  {text}", soft_wrap=True, markup=False)
    if len(cells) > _MOST_ROWS:
        console.print(f"  and {len(cells) - _MOST_ROWS} more")


def _carry_out(jobs: list[Job], what: Planned, wanted: Wanted, place: Place, kept: Run, console: Console) -> int:
    sweep = what.sweep
    at_once = _at_once(len(jobs), console)
    with Progress(console, len(what.trials), len(what.trials) - len(jobs), what.lasts) as progress:

        def keep(record: Record) -> None:
            kept.keep(record)
            progress.keep(record)
            if wanted.json:
                print_record(record, kept)

        rules = Rules(at_once=at_once, again=sweep.again, lateness_s=sweep.lateness_s)
        task = Task(place=place, rules=rules, kept=kept, keep=keep, built=lambda lab: None, pcap=wanted.pcap)
        interrupted, engine = carry_out(jobs, task, progress)
    code = _sum_up(kept.folder, what, len(engine.failed), console)
    if interrupted:
        console.print(
            f"interrupted; what was seen is in {kept.folder}; invoke sweep --resume {kept.folder} runs the rest",
            soft_wrap=True,
            markup=False,
        )
        return INTERRUPTED
    return code


def _sum_up(folder: Path, what: Planned, failed: int, console: Console) -> int:
    """Say what came of the sweep; return 0 where every trial counts, is proved and as predicted, else 3."""
    content = read(folder)
    counting = standing(content.records)
    if content.records:
        known = facts.gather(folder.name, content.records, {}, started(folder))
        console.print(sums.sentence(known), soft_wrap=True)
        if len(known.cells) <= _MOST_ROWS:
            console.print(cells_table(known))
        else:
            console.print(f"invoke show {folder.name} has its {len(known.cells)} cells", soft_wrap=True, markup=False)
    for record in [r for r in counting if r.flagged is None and not (r.agrees and r.proof.holds)][:_MOST_ROWS]:
        console.print(f"trial {record.trial}: {record.why}", soft_wrap=True, markup=False)
    if failed:
        console.print(f"{failed} trials could not be run; --resume tries them again")
    console.print(disk_line(folder), soft_wrap=True, markup=False)
    good = all(record.flagged is None and record.agrees and record.proof.holds for record in counting)
    return 0 if good and len(counting) == len(what.trials) else NOT_AS_PREDICTED


def _introduce(what: Planned, place: Place, console: Console) -> None:
    made, sweep = what.made, what.sweep
    found = rooms(what.trials, place)
    at_once = most_at_once()
    wall = outlast.wall_s(([what.lasts[trial.number] for trial in room] for room in found), place.labs_at_once, at_once)
    cells = len({cell_of(trial, all_faults()[trial.fault].options) for trial in what.trials})
    part = "" if sweep.shard.of == 1 else f", part {sweep.shard.part} of {sweep.shard.of}"
    console.print(
        f"[bold]{sweep.name}[/]{part}: {_count(len(what.trials), 'trial')} of {_count(cells, 'cell')} in"
        f" {_count(len(found), 'lab')}, seed {sweep.seed}; about {format_duration(wall)}",
        soft_wrap=True,
    )
    for reason, count in made.left_out.most_common():
        console.print(f"  left out, {count} x {reason}", soft_wrap=True, markup=False)
    for count, why in ((made.excluded, "excluded by rules"), (made.double, "left out as doubles")):
        if count:
            console.print(f"  {_count(count, 'combination')} {why}")


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _at_once(jobs: int, console: Console) -> int:
    """Return how many trials may run at once; say so where that is not all of them."""
    most = most_at_once()
    if jobs > most:
        console.print(
            f"  {most} of {jobs} trials run at a time: a process may open no more files; ulimit -Hn raises that",
            soft_wrap=True,
        )
    return most


def _lasts(trials: Sequence[Trial]) -> dict[int, float]:
    """Return how long each trial will last; repeats of a cell last equally long."""
    kernel = Kernel(hz=jiffies.discover().hz or _USUAL_HZ)
    known: dict[bytes, float] = {}
    found = {}
    for trial in trials:
        cell = msgspec.json.encode(msgspec.structs.replace(trial, number=0))
        if cell not in known:
            known[cell] = outlast.of_trial(trial, kernel).lasts_s
        found[trial.number] = known[cell]
    return found
