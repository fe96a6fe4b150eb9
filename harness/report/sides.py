"""Both sides of a disagreement, step by step: what the kernel's timers said, and what was seen."""

from collections.abc import Iterator

from rich import box
from rich.table import Table

from harness.predict.situation import Step
from harness.verdict.record import Record

# A step and a packet this close together are the same event.
_SAME_S = 0.05


def both_sides(record: Record) -> Table:
    """Return the table: instants after the fault, and beside each what was predicted and what was seen."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for side in ("predicted", "seen"):
        table.add_column("after", justify="right", no_wrap=True)
        table.add_column(side, overflow="fold")
    for predicted, seen in _pairs(_after_fault(record.prediction.steps), [*record.seen, *_sign(record)]):
        table.add_row(*_cells(predicted), *_cells(seen))
    return table


def _after_fault(steps: list[Step]) -> list[Step]:
    return sorted((step for step in steps if step.at_s >= 0), key=lambda step: step.at_s)


def _sign(record: Record) -> Iterator[Step]:
    detection = record.detection
    if detection.after_s is not None:
        yield Step(at_s=detection.after_s, what=f"{detection.sign} ({detection.by})")


def _pairs(predicted: list[Step], seen: list[Step]) -> Iterator[tuple[Step | None, Step | None]]:
    """Merge both by time; steps of the same event share a row."""
    left, right = list(predicted), sorted(seen, key=lambda step: step.at_s)
    while left or right:
        if not right or (left and left[0].at_s < right[0].at_s - _SAME_S):
            yield left.pop(0), None
        elif not left or right[0].at_s < left[0].at_s - _SAME_S:
            yield None, right.pop(0)
        else:
            yield left.pop(0), right.pop(0)


def _cells(step: Step | None) -> tuple[str, str]:
    return ("", "") if step is None else (f"{step.at_s:+.3f} s", step.what)
