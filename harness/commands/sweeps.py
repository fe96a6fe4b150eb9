"""Sweeps: the product of value lists, from a file or from the command line, run together and resumed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.commands.ends import code_of
from harness.commands.where import place_of
from harness.errors import Refused
from harness.spec.options import PLACE, RUN, Option, parse
from harness.spec.parse import duration, whole
from harness.sweep import file, lists, plan

# Of the same meaning for every command that runs a sweep.
LATENESS = Option(
    "lateness", "a trial whose program was later than this is flagged (20ms)", duration("--lateness", 0.001, 60), 0.02
)
AGAIN = Option("again", "how often a flagged trial is run again, 0 to 100", whole("--again", 0, 100), 2)
SEED = Option("seed", "of the order in which the trials run (0)", whole("--seed", 0, 2**63 - 1))
_OWN = (
    SEED,
    Option("shard", "run one part of several, such as 2/4: each trial is in exactly one", plan.shard, plan.WHOLE),
    Option("resume", "run the rest of a sweep, in its folder: a run, or the last sweep", str, value_optional=True),
    Option("dry-run", "say what would be run, and how long it would take", bool, default=False, is_flag=True),
    LATENESS,
    AGAIN,
)


def options_of_sweep() -> tuple[Option, ...]:
    file_ = Option("file", "a TOML file, or a sweep that comes with the program: " + ", ".join(file.shipped()), str)
    return (file_, *lists.as_lists(), *_OWN, *PLACE, *RUN)


def sweep(typed: Mapping[str, Any], results: Path) -> int:
    """Run a sweep; return its exit code."""

    def action() -> int:
        run, own = parse(RUN, typed), parse(_OWN, typed)
        resume = typed.get("resume")
        asked = None if resume else _asked(typed)
        place = place_of(typed)
        # The heavy rooms only now: a mistyped value is refused at once.
        from harness.runner import Wanted
        from harness.sweep import run as sweeps
        from harness.sweep.resume import which

        wanted = Wanted(results=run["results"] or results, json=run["json"], pcap=run["pcap"])
        if asked is None:
            _refuse_beside_resume(typed)
            return sweeps.go_on(which(None if resume is True else str(resume), wanted.results), wanted, place)
        described = plan.Sweep(
            name=asked.name,
            seed=asked.seed,
            shard=own["shard"],
            source=asked.source,
            lateness_s=own["lateness"],
            again=own["again"],
        )
        planned = sweeps.planned(asked, described)
        if own["dry-run"]:
            sweeps.dry_run(planned, place)
            return 0
        return sweeps.run(planned, wanted, place)

    return code_of(action)


def _asked(typed: Mapping[str, Any]) -> file.Asked:
    repeat = None if typed.get("repeat") is None else parse(RUN, typed)["repeat"]
    seed = parse((SEED,), typed)["seed"]
    named, listed = typed.get("file"), lists.given(typed)
    if named and listed:
        raise Refused(f"--{next(iter(listed))}: {named} says what is run; leave one of them out")
    return file.load(str(named), repeat, seed) if named else lists.load(typed, repeat, seed)


def _refuse_beside_resume(typed: Mapping[str, Any]) -> None:
    """The plan is in the folder already."""
    fixed = ("file", "seed", "shard", "repeat", "lateness", "again", *(o.parameter for o in lists.as_lists()))
    for name in (*fixed, "dry_run"):
        if typed.get(name):
            raise Refused(f"--{name.replace('_', '-')}: the run that is resumed has its plan; leave it out")
