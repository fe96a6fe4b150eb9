"""The end of a run on the terminal: one table, and one sentence that explains the number."""

from statistics import median

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.predict.situation import Prediction
from harness.units import format_duration
from harness.verdict.record import Record


def show(records: list[Record], console: Console) -> None:
    """Print the table of ``records`` and what explains them."""
    if not records:
        return
    table = Table(title=None, show_edge=False, pad_edge=False)
    for column, right in (
        ("trial", True),
        ("verdict", False),
        ("sign", False),
        ("by", False),
        ("after", True),
        ("predicted", True),
        ("half-open", False),
        ("agrees", False),
    ):
        table.add_column(column, justify="right" if right else "left", no_wrap=True)
    for record in records:
        detection = record.detection
        table.add_row(
            str(record.trial),
            detection.verdict,
            detection.sign,
            detection.by,
            _seconds(detection.after_s),
            _predicted(record.prediction),
            _proved(record),
            "yes" if record.agrees else Text("NO", style="bold red"),
        )
    console.print(table)
    if len(records) > 1:
        console.print(spread(records))
    for sentence in dict.fromkeys(_sentences(records)):
        console.print(sentence, soft_wrap=True)


def spread(records: list[Record]) -> str:
    """Return median and spread of the detection times."""
    times = sorted(r.detection.after_s for r in records if r.detection.after_s is not None)
    if not times:
        return f"{len(records)} trials, none detected"
    return (
        f"{len(times)} of {len(records)} detected: median {median(times):.3f} s, "
        f"from {times[0]:.3f} s to {times[-1]:.3f} s (spread {format_duration(times[-1] - times[0])})"
    )


def _sentences(records: list[Record]) -> list[str]:
    """The explanation of the last trial, of each one that is not as it should be, and every warning."""
    odd = [r.why for r in records[:-1] if not (r.agrees and r.proof.holds)]
    warnings = [f"Warning: {text}" for r in records for text in r.warnings]
    return [*odd, records[-1].why, *warnings]


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f} s"


def _predicted(prediction: Prediction) -> str:
    if prediction.exact_s is not None:
        return f"{prediction.exact_s:.3f} s"
    if prediction.earliest_s is None:
        return "never" if prediction.verdict in ("missed", "survived") else prediction.verdict
    latest = "..." if prediction.latest_s is None else f"{prediction.latest_s:.3f} s"
    return f"{prediction.earliest_s:.3f} .. {latest}"


def _proved(record: Record) -> Text:
    if not record.proof.holds:
        return Text("NOT PROVED", style="bold red")
    return Text("proved" if record.proof.half_open else f"no: {record.proof.claim}")
