"""A prediction as a timeline: what is armed, what is sent, and the end, with the reason."""

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from harness.predict.situation import Prediction, Step
from harness.report.table import predicted
from harness.units import format_duration


def show_timeline(prediction: Prediction, meaning: Sequence[str], console: Console) -> None:
    """Print the verdict, the timeline, the reason and the warnings."""
    for sentence in meaning:
        console.print(sentence, soft_wrap=True)
    if prediction.steps:
        console.print(_table(prediction.steps))
    console.print(f"[bold]{prediction.verdict}[/]: {predicted(prediction)}", soft_wrap=True)
    if prediction.recovery_latest_s is not None:
        earliest = format_duration(prediction.recovery_earliest_s or 0.0)
        latest = format_duration(prediction.recovery_latest_s)
        console.print(f"data flows again after {earliest} to {latest}", soft_wrap=True)
    if prediction.why:
        console.print(prediction.why, soft_wrap=True)
    for warning in prediction.warnings:
        console.print(f"Warning: {warning}", soft_wrap=True)


def _table(steps: Sequence[Step]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("earliest", "latest"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("what", overflow="fold")
    for step in steps:
        latest = step.latest_s if step.latest_s is not None else step.at_s
        earliest = step.earliest_s if step.earliest_s is not None else step.at_s
        table.add_row(f"{earliest:+.3f} s", f"{latest:+.3f} s", step.what)
    return table
