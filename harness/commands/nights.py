"""Two runs against each other; and the night's job: a sweep, against the last good night of the same machine class."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from harness.commands.ends import code_of
from harness.errors import Refused
from harness.spec.options import Option, parse
from harness.spec.parse import percentage


def _folder(option: str) -> Callable[[str], Path]:
    def parsed(text: str) -> Path:
        if not text.strip():
            raise Refused(f"{option}: an empty text names no folder; name one, or leave {option} out")
        return Path(text)

    return parsed


_JSON = Option("json", "print the comparison, one JSON object, on standard output", bool, default=False, is_flag=True)
_THRESHOLD = Option(
    "threshold",
    "the part of a detection time that matters, in percent (default: 4)",
    lambda text: percentage("--threshold")(text) / 100,
)
_RESULTS = Option("results", "folder that the runs are in (default: results/)", _folder("--results"))

COMPARE = (_JSON, _THRESHOLD, _RESULTS)
NIGHTLY = (
    Option("sweep", "which sweep: smoke, nightly, defaults, or a TOML file", str, default="nightly"),
    Option("out", "folder for summary.md, junit.xml, report.html (default: report/ in the run's)", _folder("--out")),
    _RESULTS,
)


def compare(before: str, after: str, typed: Mapping[str, Any], results: Path) -> int:
    """Compare two runs; return 0, or 3 where the later one is worse."""

    def action() -> int:
        values = parse(COMPARE, typed)
        from harness.compare.runs import compare_runs
        from harness.store.find import find_run

        where = values["results"] or results
        found = compare_runs(find_run(before, where), find_run(after, where), values["threshold"])
        if values["json"]:
            import msgspec

            sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
        else:
            from rich.console import Console

            from harness.report.compare import show

            show(found, Console(highlight=False))
        return 3 if found.regressions else 0

    return code_of(action)


def nightly(typed: Mapping[str, Any], results: Path) -> int:
    """Run a sweep and compare it with the last good night; return the exit code."""

    def action() -> int:
        from harness.sweep import file, plan

        values = parse(NIGHTLY, typed)
        where = values["results"] or results
        asked = file.load(values["sweep"])
        from rich.console import Console

        from harness.labs.place import Namespaces
        from harness.night import run
        from harness.runner import Wanted
        from harness.store.find import runs
        from harness.sweep import run as sweeps

        planned = sweeps.planned(asked, plan.Sweep(name=asked.name, seed=asked.seed, source=asked.source))

        def sweep() -> tuple[int, Path]:
            before = set(runs(where))
            code = sweeps.run(planned, Wanted(results=where), Namespaces())
            return code, next(folder for folder in reversed(runs(where)) if folder not in before)

        return run(sweep, where, values["out"], Console(stderr=True, highlight=False))

    return code_of(action)
