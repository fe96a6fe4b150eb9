"""The experiments: a command per fault, and what each of them would show."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.commands.ends import code_of
from harness.commands.where import place_of
from harness.errors import Refused
from harness.faults import all_faults
from harness.faults.base import Fault
from harness.spec.options import PLACE, PREDICTION, RUN, SETTINGS, TRIAL, Option, parse
from harness.spec.trial import Trial
from harness.sweep.asked import general, trial_of


def options_of(fault: type[Fault]) -> tuple[Option, ...]:
    """Return every option of a fault's command, its own first."""
    return (*fault.options, *SETTINGS, *general(fault), *PLACE, *RUN)


def trials_of(fault: type[Fault], typed: Mapping[str, Any]) -> list[Trial]:
    """Return the trials that were asked for. Raises Refused."""
    return [trial_of(fault, typed, number) for number in range(parse(RUN, typed)["repeat"])]


def experiment(fault: type[Fault], typed: Mapping[str, Any], results: Path) -> int:
    """Run an experiment; return its exit code."""

    def action() -> int:
        trials = trials_of(fault, typed)
        place = place_of(typed)
        from harness.runner import Wanted, run

        wanted = Wanted(results=parse(RUN, typed)["results"] or results, json=typed["json"], pcap=typed["pcap"])
        return run(trials, wanted, place)

    return code_of(action)


def options_of_predict() -> tuple[Option, ...]:
    """Return the options of every experiment together, and those of a prediction alone."""
    own = {option.name: option for fault in all_faults().values() for option in fault.options}
    run = tuple(option for option in RUN if option.name == "json")
    return (*PREDICTION, *SETTINGS, *TRIAL, *own.values(), *run)


def predict(name: str, typed: Mapping[str, Any]) -> int:
    """Say what an experiment would show, without running it; return the exit code."""

    def action() -> int:
        fault = all_faults().get(name)
        if fault is None:
            raise Refused(f"predict: {name!r} is no experiment; there are {', '.join(all_faults())}")
        allowed = {option.parameter for option in (*PREDICTION, *options_of(fault))}
        for given in (key for key, value in typed.items() if value not in (None, False)):
            if given not in allowed:
                raise Refused(f"--{given.replace('_', '-')}: {name} has no such option")
        from harness.foresight import foresee

        foresee(trials_of(fault, typed)[0], json=typed["json"], **parse(PREDICTION, typed))
        return 0

    return code_of(action)
