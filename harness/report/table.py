"""The end of a run on the terminal: one table, and one sentence that explains the number."""

from statistics import median

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.predict.situation import Prediction
from harness.report.sides import both_sides
from harness.units import format_duration
from harness.verdict.record import Proof, Record


def show(records: list[Record], console: Console) -> None:
    """Print the table of ``records`` and what explains them."""
    if not records:
        return
    console.print()
    console.print(_one(records[0]) if len(records) == 1 else _many(records))
    if len(records) > 1:
        console.print(spread(records))
    for record in records:
        if not record.agrees:
            console.print(both_sides(record))
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


def _one(record: Record) -> Table:
    """One trial: a line for each side of the matter."""
    table = Table(box=box.SIMPLE_HEAD, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("seen", _seen(record))
    table.add_row("predicted", predicted(record.prediction))
    table.add_row("agrees", _yes(record.agrees))
    table.add_row(*_evidence(record.proof))
    return table


def _many(records: list[Record]) -> Table:
    # One space between columns beside the box's own, so that the longest row fits 80 columns.
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    for column, justify in (
        ("trial", "right"),
        ("sign", "left"),
        ("by", "left"),
        ("after", "right"),
        ("predicted", "right"),
        ("proved", "left"),
        ("agrees", "left"),
    ):
        table.add_column(column, justify="right" if justify == "right" else "left", no_wrap=True)
    for record in records:
        detection, prediction = record.detection, record.prediction
        table.add_row(
            str(record.trial + 1),
            detection.sign if detection.verdict == "detected" else detection.verdict,
            detection.by,
            "-" if detection.after_s is None else f"{detection.after_s:.3f} s",
            _instant(prediction),
            _yes(record.proof.holds),
            _yes(record.agrees),
        )
    return table


def predicted(prediction: Prediction) -> str:
    """Return the prediction in one line."""
    if prediction.earliest_s is None:
        return {"missed": "never", "survived": "nothing: the connection lives"}.get(
            prediction.verdict, prediction.verdict
        )
    latest = "later" if prediction.latest_s is None else f"{prediction.latest_s:.3f} s"
    interval = f"{prediction.earliest_s:.3f} to {latest}"
    exact = "" if prediction.exact_s is None else f"{prediction.exact_s:.3f} s, "
    doubt = ", ambiguous" if prediction.ambiguous else ""
    return f"{prediction.sign} by {prediction.by}: {exact}within {interval}{doubt}"


def _seen(record: Record) -> str:
    detection = record.detection
    if detection.after_s is None:
        watched = format_duration(detection.watched_s or 0.0)
        back = detection.recovered_after_s
        return f"{detection.verdict}, watched for {watched}" + (
            "" if back is None else f"; data flowed again after {back:.3f} s"
        )
    what = f"{detection.sign} by {detection.by}: {detection.after_s:.3f} s after the fault"
    return what if detection.verdict == "detected" else f"{detection.verdict}: {what}"


def _evidence(proof: Proof) -> tuple[str, Text]:
    if not proof.holds:
        return proof.claim, Text(f"NOT PROVED: {proof.missing}", style="bold red")
    return proof.claim, Text(
        f"proved: survivor {proof.survivor_state or 'without a socket'}, peer {proof.peer}, "
        f"{proof.to_survivor_after_fault} segments to the survivor, {proof.dropped_packets} dropped, "
        f"{proof.probes_seen} probes, {proof.retransmissions_seen} retransmissions"
    )


def _instant(prediction: Prediction) -> str:
    if prediction.exact_s is not None:
        return f"{prediction.exact_s:.3f} s"
    if prediction.earliest_s is None:
        return "never"
    latest = "" if prediction.latest_s is None else f"{prediction.latest_s:.2f}"
    return f"{prediction.earliest_s:.2f}..{latest} s"


def _yes(value: bool) -> Text:
    return Text("yes") if value else Text("NO", style="bold red")


def _sentences(records: list[Record]) -> list[str]:
    """The explanation of the last trial, of each one that is not as it should be, and every warning."""
    odd = [r.why for r in records[:-1] if not (r.agrees and r.proof.holds)]
    warnings = [f"Warning: {text}" for r in records for text in r.warnings]
    return [*odd, records[-1].why, *warnings]
