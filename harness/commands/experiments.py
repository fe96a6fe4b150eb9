"""The experiments: a command per fault, and what each of them would show."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.commands.ends import code_of
from harness.commands.where import place_of
from harness.errors import Refused
from harness.faults import all_faults
from harness.faults.base import Fault
from harness.spec.options import PLACE, PREDICTION, RUN, SETTINGS, TRIAL, Option, asked, parse
from harness.spec.trial import Trial


def options_of(fault: type[Fault]) -> tuple[Option, ...]:
    """Return every option of a fault's command, its own first."""
    general = tuple(o for o in TRIAL if o.name not in _without(fault))
    return (*fault.options, *SETTINGS, *general, *PLACE, *RUN)


def _without(fault: type[Fault]) -> set[str]:
    """The general options that make no sense with this fault."""
    without = set()
    if fault.survivor is not None:
        without.add("survivor")
    if len(fault.traffics) == 1:
        without.add("traffic")
    if fault.traffics == ("connect",):
        without.add("quiet")
    if "write" not in fault.traffics:
        without.add("write-after")
    return without


def trials_of(fault: type[Fault], typed: Mapping[str, Any]) -> list[Trial]:
    """Return the trials that were asked for. Raises Refused."""
    values = parse(TRIAL, typed)
    values["survivor"] = fault.survivor or values["survivor"] or "client"
    values["traffic"] = values["traffic"] or fault.traffics[0]
    if values["traffic"] not in fault.traffics:
        raise Refused(f"--traffic: {fault.name} takes {', '.join(fault.traffics)}; not {values['traffic']}")
    if values["write_after_s"] and values["traffic"] != "write":
        raise Refused("--write-after has no effect without --traffic write; give that as well, or leave it out")
    options = parse(fault.options, typed)
    fault(**options)  # refuses what does not go together
    settings = asked(typed)
    return [
        Trial(fault=fault.name, options=options, asked=settings, number=number, **values)
        for number in range(parse(RUN, typed)["repeat"])
    ]


def experiment(fault: type[Fault], typed: Mapping[str, Any], results: Path) -> int:
    """Run an experiment; return its exit code."""

    def action() -> int:
        trials = trials_of(fault, typed)
        place = place_of(typed)
        from harness.runner import Wanted, run

        where = typed.get("results")
        wanted = Wanted(results=Path(where) if where else results, json=typed["json"], pcap=typed["pcap"])
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
