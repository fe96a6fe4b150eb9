"""A comparison on the terminal: the sentence that sums it up, what changed, and what could not be judged."""

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from harness.compare.change import Change, Comparison, Side
from harness.compare.machine import said
from harness.compare.noise import STALL_S, STEADY
from harness.report.sums import many
from harness.units import format_duration

_MOST = 40
_STYLE = {"regression": "bold red", "improvement": "green", "note": "dim"}


def show(comparison: Comparison, console: Console) -> None:
    """Print ``comparison``."""
    console.print(f"[bold]{escape(summary(comparison))}[/]", soft_wrap=True)
    for line in conditions(comparison):
        console.print(f"  {escape(line)}", soft_wrap=True)
    if comparison.changes:
        console.print(_table(comparison.changes[:_MOST]))
    if len(comparison.changes) > _MOST:
        console.print(f"{len(comparison.changes) - _MOST} more; --json has them all")
    for line in remarks(comparison):
        console.print(escape(line), soft_wrap=True)


def summary(comparison: Comparison) -> str:
    """Return the sentence that sums it up."""
    regressions = {change.cell for change in comparison.regressions}
    improvements = {change.cell for change in comparison.improvements} - regressions
    return (
        f"{many(comparison.cells, 'cell')} compared: {many(len(regressions), 'regression')}, "
        f"{many(len(improvements), 'improvement')}"
    )


def conditions(comparison: Comparison) -> list[str]:
    """Return what was compared, and what counts as a change."""
    lines = []
    for what, run in (("before", comparison.before), ("after", comparison.after)):
        if run:
            lines.append(f"{what:<6} {run.get('name', '')}: {said(run.get('class', {}))}")
    lines += [f"differs: {line}" for line in comparison.differences]
    lines.append(
        f"a change is more than noise ({format_duration(comparison.bound_s)} against the prediction) and more than "
        f"{100 * comparison.threshold:g} % of the time"
    )
    if comparison.unsteady:
        lines.append(
            f"in {many(comparison.unsteady, 'cell')} noise is {format_duration(max(STALL_S, comparison.bound_s))}: "
            f"fewer than {STEADY} trials, and how late the program was is not known"
        )
    return lines


def remarks(comparison: Comparison) -> list[str]:
    """Return what could not be judged fully, and why."""
    lines = []
    if comparison.explained:
        lines.append(
            f"{many(comparison.explained, 'cell')} took another time as predicted: how long it had been quiet, and "
            "where the jiffy clock stood."
        )
    if comparison.interval:
        lines.append(f"{many(comparison.interval, 'cell')} judged by verdict and interval: no exact prediction.")
    if comparison.chance:
        lines.append(f"{many(comparison.chance, 'cell')} judged by rank, which takes many trials: chance decides.")
    for what, cells in (
        ("only in the later run", comparison.added),
        ("only in the earlier run", comparison.gone),
        ("with trials that came too late to count", comparison.flagged),
        ("without a trial that counts", comparison.empty),
    ):
        if cells:
            lines.append(f"{many(len(cells), 'cell')} {what}: {_some(cells)}")
    return lines


def time_of(side: Side) -> str:
    """Return a run's median time of a cell, with its range where there are several."""
    if side.median_s is None or side.min_s is None or side.max_s is None:
        return "-"
    if side.trials == 1:
        return f"{side.median_s:.3f} s"
    return f"{side.median_s:.3f} s ({side.min_s:.3f} to {side.max_s:.3f})"


def _table(changes: list[Change]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("", "before", "after"):
        table.add_column(column, no_wrap=True)
    table.add_column("cell, and why", overflow="fold")
    for change in changes:
        style = _STYLE[change.effect]
        table.add_row(
            f"[{style}]{change.kind}[/]",
            _median(change.before),
            _median(change.after),
            f"{escape(change.cell)}\n[{style}]{escape(change.why)}[/]",
        )
    return table


def _median(side: Side) -> str:
    return "-" if side.median_s is None else f"{side.median_s:.3f} s"


def _some(cells: list[str], most: int = 3) -> str:
    more = f" and {len(cells) - most} more" if len(cells) > most else ""
    return "; ".join(cells[:most]) + more
