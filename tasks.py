"""The commands: text -> trials -> run -> table -> exit code. No logic here; a fault is a command by its file."""

import inspect
import sys
from pathlib import Path
from typing import Any

from invoke.collection import Collection
from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import Task, task

from harness.commands import endings, experiments, hosts, nights, reports, results, sweeps, tools
from harness.endings import all_endings
from harness.endings.base import Script
from harness.faults import all_faults
from harness.faults.base import Fault
from harness.spec.options import Option

_RESULTS = Path(__file__).parent / "results"


def _end(code: int) -> None:
    if code:
        raise Exit(code=code)


def _experiment(fault: type[Fault]) -> "Task[Any]":
    """Return the command of a fault."""

    def body(context: Context, **typed: Any) -> None:
        _end(experiments.experiment(fault, typed, _RESULTS))

    body.__doc__ = fault.help
    return _command(fault.name, body, experiments.options_of(fault))


def _ending(script: type[Script]) -> "Task[Any]":
    """Return the command of an ending."""

    def body(context: Context, **typed: Any) -> None:
        _end(endings.ending(script, typed, _RESULTS))

    body.__doc__ = script.help
    return _command(script.name, body, endings.options_of(script))


def _predict() -> "Task[Any]":
    def body(context: Context, fault: str, **typed: Any) -> None:
        """What an experiment would show, and why: opens no socket, needs no privilege, answers at once."""
        _end(experiments.predict(fault, typed))

    return _command("predict", body, experiments.options_of_predict(), "fault")


def _sweep() -> "Task[Any]":
    def body(context: Context, **typed: Any) -> None:
        """Many experiments at once: every combination of the values in a file, or in lists such as --keepalive 5,10."""
        _end(sweeps.sweep(typed, _RESULTS))

    # The file may be left out, which invoke knows of no positional argument: it is one where a word stands for it.
    following = sys.argv[sys.argv.index("sweep") + 1 :] if "sweep" in sys.argv else []
    named = ("file",) if following and not following[0].startswith("-") else ()
    return _command("sweep", body, sweeps.options_of_sweep(), *named)


def _stale_pool() -> "Task[Any]":
    def body(context: Context, **typed: Any) -> None:
        """A pool of connections whose server closes idle ones: what each check, retry and hedge saves, and costs."""
        _end(tools.stale_pool(typed, _RESULTS))

    return _command("stale-pool", body, tools.options_of_stale_pool())


def _detectors() -> "Task[Any]":
    def body(context: Context, **typed: Any) -> None:
        """Every check for a lost peer in every state of a connection: right, wrong or blind, how soon, at what cost."""
        _end(tools.detectors(typed, _RESULTS))

    return _command("detectors", body, tools.options_of_detectors())


def _report() -> "Task[Any]":
    def body(context: Context, run: str, **typed: Any) -> None:
        """Write a run down: one HTML page, plots (SVG, PNG), Markdown for a job's summary, JUnit XML for CI."""
        _end(reports.report(run, typed, _RESULTS))

    return _command("report", body, reports.OPTIONS, "run")


def _program(name: str, help: str) -> "Task[Any]":
    """Return the command of a program for a terminal: server or client."""

    def body(context: Context, **typed: Any) -> None:
        _end(tools.program(name, typed))

    body.__doc__ = help
    return _command(name, body, tools.options_of_program(name))


def _hosts() -> "Task[Any]":
    def body(context: Context, **typed: Any) -> None:
        """Which of the machines in a file of hosts can run experiments, and what the others lack."""
        _end(hosts.hosts(typed))

    return _command("hosts", body, hosts.OPTIONS)


def _compare() -> "Task[Any]":
    def body(context: Context, before: str, after: str, **typed: Any) -> None:
        """Two runs, cell by cell: what is slower, missed or no longer as predicted. Exits 3 where anything is."""
        _end(nights.compare(before, after, typed, _RESULTS))

    return _command("compare", body, nights.COMPARE, "before", "after")


def _runs() -> "Task[Any]":
    def body(context: Context, **typed: Any) -> None:
        """The runs in results/: what each measured, what it takes on the disk, whether it is pinned."""
        _end(results.runs(typed, _RESULTS))

    return _command("runs", body, results.RUNS)


def _prune() -> "Task[Any]":
    def body(context: Context, **typed: Any) -> None:
        """Delete runs by number, age or size; never one that is pinned, or running."""
        _end(results.prune(typed, _RESULTS))

    return _command("prune", body, results.PRUNE)


def _of_run(name: str, help: str, action: Any, options: tuple[Option, ...]) -> "Task[Any]":
    """Return a command whose first word is a run: a folder, its name under results/, latest, or latest~1."""

    def body(context: Context, run: str, **typed: Any) -> None:
        _end(action(run, typed, _RESULTS))

    body.__doc__ = help
    return _command(name, body, options, "run")


def _nightly() -> "Task[Any]":
    def body(context: Context, **typed: Any) -> None:
        """A sweep, against the last good night of the same machine class. Exits 3 where anything got worse."""
        _end(nights.nightly(typed, _RESULTS))

    return _command("nightly", body, nights.NIGHTLY)


def _command(name: str, body: Any, options: tuple[Option, ...], *positional: str) -> "Task[Any]":
    """Give ``body`` the options as its parameters, which is where invoke looks for flags."""
    plain, keyword = inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY
    parameters = [inspect.Parameter(parameter, plain) for parameter in ("context", *positional)]
    for option in options:
        if option.parameter in positional:
            continue
        parameters.append(inspect.Parameter(option.parameter, keyword, default=False if option.is_flag else None))
    body.__signature__ = inspect.Signature(parameters)
    helps = {option.name: option.help for option in options}
    optional = [option.parameter for option in options if option.value_optional]
    made: Task[Any] = task(
        name=name, help=helps, positional=list(positional), optional=optional, auto_shortflags=False
    )(body)
    return made


@task(help={"json": "one JSON object a line, on standard output"}, auto_shortflags=False)
def doctor(context: Context, json: bool = False) -> None:
    """What this machine can do, what is lost where something is missing, and how to get it."""
    _end(tools.doctor(json))


ns = Collection(
    *(_experiment(fault) for fault in all_faults().values()),
    *map(_ending, all_endings().values()),
    _predict(),
    _sweep(),
    _program("server", "For one terminal: sends each client a line every 500 ms, and closes in one of three ways."),
    _program("client", "For the other: reads, writes or asks you, and says in words how the connection ended."),
    _detectors(),
    _stale_pool(),
    _report(),
    _hosts(),
    _compare(),
    _nightly(),
    _runs(),
    _of_run(
        "show", "A run's cells, what was not as predicted and why; or one trial, whole.", results.show, results.SHOW
    ),
    _of_run("export", "A run's trials as a table: CSV, Parquet or JSON lines.", results.export, results.EXPORT),
    _of_run("pin", "Keep a run from being pruned.", results.pin, results.PIN),
    _prune(),
    doctor,
)
