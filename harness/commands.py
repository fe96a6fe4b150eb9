"""What the commands do: typed options to trials, errors to one line and an exit code.

Imports light rooms only, and the heavy ones when they are needed: listing the commands must be quick.
"""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from harness.endings.base import Script
from harness.errors import HalfopenError, Refused
from harness.faults import all_faults
from harness.faults.base import Fault
from harness.spec.options import PREDICTION, RUN, SETTINGS, TRIAL, Option, asked, parse
from harness.spec.trial import Trial


def options_of(fault: type[Fault]) -> tuple[Option, ...]:
    """Return every option of a fault's command, its own first."""
    general = tuple(o for o in TRIAL if o.name not in _without(fault))
    return (*fault.options, *SETTINGS, *general, *RUN)


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
        from harness.runner import Wanted, run

        where = typed.get("results")
        return run(trials, Wanted(results=Path(where) if where else results, json=typed["json"], pcap=typed["pcap"]))

    return _code_of(action)


def options_of_ending(script: type[Script]) -> tuple[Option, ...]:
    """Return every option of an ending's command, its own first."""
    return (*script.options, *(option for option in TRIAL if option.name == "ipv"), *RUN)


def ending(script: type[Script], typed: Mapping[str, Any], results: Path) -> int:
    """Run an ending; return its exit code."""

    def action() -> int:
        asked_for, general = script(**parse(script.options, typed)), parse(options_of_ending(script), typed)
        from harness.endings.run import run
        from harness.runner import Wanted

        where = Path(general["results"]) if general["results"] else results
        wanted = Wanted(results=where, json=general["json"], pcap=general["pcap"])
        return run(asked_for, general["ipv"], general["repeat"], wanted)

    return _code_of(action)


def _code_of(action: Callable[[], int]) -> int:
    try:
        return action()
    except HalfopenError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130


def doctor(json: bool) -> int:
    """Examine this machine; return 0, or 4 where it cannot run the lab."""

    def action() -> int:
        from harness.doctor import examine
        from harness.report.doctor import json_lines, write_table

        found = examine()
        if json:
            sys.stdout.write(json_lines(found))
        else:
            write_table(found, out=sys.stdout)
        return 4 if any(each.required and not each.present for each in found) else 0

    return _code_of(action)


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

    return _code_of(action)


def options_of_stale_pool() -> tuple[Option, ...]:
    from harness.pool.options import OPTIONS

    return OPTIONS


def stale_pool(typed: Mapping[str, Any], results: Path) -> int:
    """Run the pool's strategies against a server that closes idle connections; return the exit code."""

    def action() -> int:
        from harness.pool.options import asked as asked_of_pool

        wanted = asked_of_pool(typed)
        from harness.pool.run import run
        from harness.runner import Wanted

        where = typed.get("results")
        return run(wanted, Wanted(results=Path(where) if where else results, json=typed["json"], pcap=typed["pcap"]))

    return _code_of(action)


def options_of_detectors() -> tuple[Option, ...]:
    from harness.detectors.options import OPTIONS

    return OPTIONS


def detectors(typed: Mapping[str, Any], results: Path) -> int:
    """Ask every check in every state; return the exit code."""

    def action() -> int:
        from harness.detectors.options import OPTIONS

        values = parse(OPTIONS, typed)
        from harness.detectors.run import run
        from harness.runner import Wanted

        where = Path(values["results"]) if values["results"] else results
        return run(values["ipv"], Wanted(results=where, json=values["json"], pcap=values["pcap"]), values["page"])

    return _code_of(action)


def options_of_program(name: str) -> tuple[Option, ...]:
    from harness.programs import options

    return {"server": options.SERVER, "client": options.CLIENT}[name]


def program(name: str, typed: Mapping[str, Any]) -> int:
    """Be the server or the client; return 0 when it has ended, however its connections did."""

    def action() -> int:
        values = parse(options_of_program(name), typed)
        if name == "server":
            from harness.programs.server import serve

            serve(**values)
        else:
            from harness.programs.client import talk

            talk(**values)
        return 0

    return _code_of(action)
