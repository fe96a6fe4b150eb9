"""What is done with runs that are over: list, show, export, pin, prune."""

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from harness.commands.ends import code_of
from harness.errors import Refused, Unavailable
from harness.spec.options import Option, parse
from harness.spec.parse import choice, duration, whole
from harness.store.disk import format_size, parse_size

_FORMATS = ("csv", "parquet", "jsonl")


def _folder(text: str) -> Path:
    if not text.strip():
        raise Refused("--results: an empty text names no folder")
    folder = Path(text)
    if not folder.is_dir():
        raise Refused(f"--results: {text!r} is no folder")
    return folder


def _file(text: str) -> Path:
    if not text.strip() or Path(text).is_dir():
        raise Refused(f"--out: {text!r} names no file")
    return Path(text)


_RESULTS = Option("results", "folder that has the runs (default: results/)", _folder)
_JSON = Option("json", "JSON on standard output", bool, default=False, is_flag=True)
RUNS = (
    Option("rebuild", "make the index anew from the runs", bool, default=False, is_flag=True),
    Option("json", "one JSON object a run, on standard output", bool, default=False, is_flag=True),
    _RESULTS,
)
SHOW = (
    Option("trial", "one trial whole; its number as in the record, from 0", whole("--trial", 0, 10_000_000)),
    Option(
        "json",
        "one JSON object: run, machine, cells and disagreements; with --trial, its records",
        bool,
        default=False,
        is_flag=True,
    ),
    _RESULTS,
)
EXPORT = (
    Option("format", "csv, parquet or jsonl", choice("--format", *_FORMATS), default="csv"),
    Option("out", "file to write (default: standard output)", _file),
    Option("attempts", "also those that were flagged, or run again since", bool, default=False, is_flag=True),
    _RESULTS,
)
PIN = (Option("unpin", "take the pin out", bool, default=False, is_flag=True), _RESULTS)
PRUNE = (
    Option("keep", "the newest so many stay", whole("--keep", 0, 1_000_000)),
    Option(
        "older-than", "only what began longer ago: 12h, 30d", duration("--older-than", 0.0, 3.2e9), field="older_than_s"
    ),
    Option("larger-than", "only what takes more: 500kB, 100MB, 1.5GB", lambda text: parse_size(text, "--larger-than")),
    Option("dry-run", "say what would go, and delete nothing", bool, default=False, is_flag=True),
    _RESULTS,
)


def runs(typed: Mapping[str, Any], results: Path) -> int:
    """List the runs; return the exit code."""

    def action() -> int:
        values = parse(RUNS, typed)
        from harness.report import runs as report
        from harness.store.listing import listing

        found = listing(values["results"] or results, values["rebuild"])
        if values["json"]:
            _write(report.json_lines(found))
        else:
            report.show(found, sys.stdout)
        return 0

    return code_of(action)


def show(run: str, typed: Mapping[str, Any], results: Path) -> int:
    """Show a run, or one trial of it; return the exit code."""

    def action() -> int:
        values = parse(SHOW, typed)
        from harness.report import show as report
        from harness.store.find import find_run
        from harness.store.reading import read

        folder = find_run(run, values["results"] or results)
        content = read(folder)
        if values["trial"] is not None:
            trials = report.of_trial(folder, content, values["trial"])
            if values["json"]:
                _write(report.records_json(trials))
            else:
                report.show_trial(trials, sys.stdout)
        elif values["json"]:
            _write([report.run_json(folder, content)])
        else:
            report.show_run(folder, content, sys.stdout)
        return 0

    return code_of(action)


def export(run: str, typed: Mapping[str, Any], results: Path) -> int:
    """Write a run's trials as a table; return the exit code."""

    def action() -> int:
        values = parse(EXPORT, typed)
        out: Path | None = values["out"]
        if values["format"] == "parquet" and out is None and sys.stdout.isatty():
            raise Refused("--format parquet is not for a terminal; name a file with --out, or redirect it")
        from harness.store.export import encoded
        from harness.store.find import find_run
        from harness.store.flat import rows
        from harness.store.reading import read

        folder = find_run(run, values["results"] or results)
        content = read(folder)
        if content.others and not content.records:
            raise Refused(
                f"{folder} has no trials but records of another shape, one JSON object a line in records.jsonl"
            )
        pieces = encoded(rows(folder, content.records, values["attempts"]), values["format"])
        if out is None:
            _write(pieces)
        else:
            _to_file(pieces, out)
        return 0

    return code_of(action)


def pin(run: str, typed: Mapping[str, Any], results: Path) -> int:
    """Pin a run, or take its pin out; return the exit code."""

    def action() -> int:
        values = parse(PIN, typed)
        from harness.store import pin as store
        from harness.store.find import find_run

        folder = find_run(run, values["results"] or results)
        (store.unpin if values["unpin"] else store.pin)(folder)
        print(f"{folder.name} is {'no longer pinned' if values['unpin'] else 'pinned: invoke prune leaves it'}")
        return 0

    return code_of(action)


def prune(typed: Mapping[str, Any], results: Path) -> int:
    """Delete runs by rule; return the exit code."""

    def action() -> int:
        values = parse(PRUNE, typed)
        from harness.store.prune import Rule
        from harness.store.prune import prune as take_away

        rule = Rule(keep=values["keep"], older_than_s=values["older_than_s"], larger_than=values["larger-than"])
        if rule.says_nothing:
            raise Refused("prune: say which runs: --keep 20, --older-than 30d, --larger-than 100MB")
        done = take_away(values["results"] or results, rule, values["dry-run"])
        for name, size in done.gone.items():
            print(f"{name}  {format_size(size)}")
        verb = ("would be deleted", "would be freed") if values["dry-run"] else ("deleted", "freed")
        stay = [
            f"{len(names)} {why} stay" for names, why in ((done.pinned, "pinned"), (done.running, "running")) if names
        ]
        freed = format_size(sum(done.gone.values()))
        print(
            "; ".join(
                [f"{len(done.gone)} {'run' if len(done.gone) == 1 else 'runs'} {verb[0]}, {freed} {verb[1]}", *stay]
            )
        )
        return 0

    return code_of(action)


def _write(pieces: Iterable[bytes]) -> None:
    """Write to standard output, past Python's buffer: what a closed pipe refused must not be tried again."""
    from harness.endpoints import wire

    try:
        for piece in pieces:
            wire.write_all(sys.stdout.fileno(), piece)
    except OSError as error:
        raise Unavailable(f"standard output takes no more ({error.strerror})") from None


def _to_file(pieces: Iterable[bytes], out: Path) -> None:
    """Write a file: all of it, or, where something is missing or the disk is full, nothing new under its name."""
    half = out.with_name(f".{out.name}.half")
    try:
        with half.open("wb") as file:
            file.writelines(pieces)
        half.replace(out)
    except OSError as error:
        raise Unavailable(f"--out: {out} cannot be written ({error.strerror})") from None
    finally:
        half.unlink(missing_ok=True)
