"""The reports of a run: a page, plots, a summary for people, results for machines."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.commands.ends import code_of
from harness.errors import Refused, Unavailable
from harness.spec.options import Option, parse
from harness.spec.parse import whole

_FORMATS = ("html", "svg", "png", "md", "junit")
_ALL = "all"
_MOST_TRIALS = 10_000_000


def _formats(text: str) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    for part in found:
        if part not in (*_FORMATS, _ALL):
            raise Refused(f"--format: {part!r} is no format; there are {', '.join(_FORMATS)}, and all")
    if not found:
        raise Refused(f"--format: name one or more of {', '.join(_FORMATS)}, or all")
    return (_ALL,) if _ALL in found else found


def _folder(option: str) -> Any:
    def parsed(text: str) -> Path:
        if not text.strip():
            raise Refused(f"{option}: name a folder")
        return Path(text)

    return parsed


OPTIONS = (
    Option("out", "folder to write into (default: report/ in the run's own folder)", _folder("--out")),
    Option("format", f"what to write, one or more of {', '.join(_FORMATS)}, or all", _formats, default=("html",)),
    Option("trial", "a trial, by its number, that is to have a timeline", whole("--trial", 0, _MOST_TRIALS)),
    Option("results", "folder that the runs are in (default: results/)", _folder("--results")),
)


def report(run: str, typed: Mapping[str, Any], results: Path) -> int:
    """Write the reports of ``run``; return the exit code."""

    def action() -> int:
        values = parse(OPTIONS, typed)
        from harness.report.facts import read
        from harness.report.files import write
        from harness.report.plots.files import ready
        from harness.report.sums import sentence
        from harness.store.find import find_run

        formats = values["format"]
        folder = find_run(run, values["results"] or results)
        facts = read(folder)
        number = values["trial"]
        if number is not None and all(record.trial != number for record in facts.everyone()):
            raise Refused(f"--trial: {facts.name} has no trial {number} that counts")
        if "png" in formats:
            ready()
        elif formats == (_ALL,):
            formats = _possible(ready)
        print(sentence(facts), file=sys.stderr)
        out = values["out"] or folder / "report"
        plots = 0
        for path in write(facts, formats, out, number):
            if path.parent == out:
                print(path, file=sys.stderr)
            plots += path.parent != out
        if plots:
            print(f"{out / 'plots'}: {plots} files", file=sys.stderr)
        return 0

    return code_of(action)


def _possible(ready: Any) -> tuple[str, ...]:
    """All formats, without PNG where it cannot be made, which is said."""
    try:
        ready()
    except Unavailable as error:
        print(f"left out: {error}", file=sys.stderr)
        return tuple(each for each in _FORMATS if each != "png")
    return _FORMATS
