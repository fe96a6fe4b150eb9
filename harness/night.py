"""The night's job: a sweep, compared with the last good night of the same machine class, and what to read of it."""

from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from harness.compare.baseline import Night, is_good, last_good, mark
from harness.compare.change import Comparison
from harness.compare.machine import class_of, described
from harness.compare.runs import compare_runs
from harness.errors import Unavailable
from harness.report import files, night
from harness.report.compare import show
from harness.report.facts import read
from harness.store.cells import cells, standing
from harness.store.reading import read as read_records
from harness.sweep import plan

NOT_AS_PREDICTED = 3
_FORMATS = ("html", "md", "junit")


def run(sweep: Callable[[], tuple[int, Path]], results: Path, out: Path | None, console: Console) -> int:
    """Do the job; return the exit code: 3 where something got worse, or nothing is there to compare with and not all is
    as it should be. ``sweep`` runs the sweep and returns its exit code and the run's folder.
    """
    code, folder = sweep()
    if code not in (0, NOT_AS_PREDICTED):
        return code
    machine_class = class_of(described(folder))
    planned, trials = plan.read(folder)
    before = last_good(results, planned.name, machine_class, but=folder)
    comparison = compare_runs(before, folder) if before else None
    records = read_records(folder).records
    missing = max(0, len(trials) - len(standing(records)))
    measured = cells(records)
    unmeasured = sum(not cell.trials for cell in measured)
    worse = bool(comparison.regressions) if comparison else code != 0
    found = Night(
        sweep=planned.name,
        machine_class=machine_class,
        exit_code=NOT_AS_PREDICTED if worse or missing or unmeasured else 0,
        good=not missing and is_good(measured, comparison),
        compared_with=before.name if before else None,
        regressions=len({change.cell for change in comparison.regressions}) if comparison else 0,
        missing=missing,
        unmeasured=unmeasured,
    )
    for path in _write(found, comparison, folder, out or folder / "report"):
        console.print(str(path), soft_wrap=True, markup=False)
    if comparison:
        show(comparison, console)
    console.print(night.sentence(found, comparison), soft_wrap=True, markup=False)
    # Last: a night whose reports could not be written is not marked good.
    mark(folder, found)
    return found.exit_code


def _write(found: Night, comparison: Comparison | None, folder: Path, out: Path) -> list[Path]:
    """Write the run's reports, and what the night adds to them. Raises Unavailable."""
    written = list(files.write(read(folder), _FORMATS, out))
    try:
        for path in written:
            if path.suffix == ".md":
                path.write_text(night.markdown(found, comparison) + path.read_text())
            elif path.suffix == ".xml":
                path.write_text(night.with_suite(path.read_text(), found, comparison))
    except OSError as error:
        raise Unavailable(f"{out} cannot be written ({error.strerror}); name another folder with --out") from None
    return written
