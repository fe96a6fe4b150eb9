"""Two runs against each other; and the night's job: a sweep, against the last good night of the same machine class."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.commands.ends import code_of
from harness.errors import Refused
from harness.spec.options import Option, parse
from harness.spec.parse import percentage


def _folder(text: str) -> Path:
    if not text.strip():
        raise Refused("--results: an empty text names no folder; name one, or leave --results out")
    return Path(text)


_JSON = Option("json", "print the comparison, one JSON object, on standard output", bool, default=False, is_flag=True)
_THRESHOLD = Option(
    "threshold",
    "the part of a detection time that matters, in percent (default: 2.5)",
    lambda text: percentage("--threshold")(text) / 100,
)
_RESULTS = Option("results", "folder that the runs are in (default: results/)", _folder)

COMPARE = (_JSON, _THRESHOLD, _RESULTS)


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
