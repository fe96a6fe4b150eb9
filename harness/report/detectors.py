"""The detectors' table on the terminal, and the costs below it."""

from collections.abc import Iterable

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.detectors import all_detectors
from harness.detectors.record import Cell
from harness.detectors.states import ALL

_SHORT = {"fin+data": "fin+d", "rst+data": "rst+d", "unacked": "unack"}
_STYLES = {"wrong": "bold red", "blind": "yellow", "right": "green"}
_AT_ONCE_S = 0.005


def show(cells: list[Cell], console: Console) -> None:
    """Print the table of ``cells``, what the checks cost, and every cell that is not as expected."""
    if not cells:
        return
    console.print()
    console.print(_table(cells))
    console.print(
        "yes: right at once; a time: right, after so long; WRONG: a false alarm;\n"
        "-: blind, says alive where it is gone, or cannot tell.\n"
        'Before "fin" the other end is there and receives; from "fin" on it does not.',
        soft_wrap=True,
    )
    console.print()
    console.print(_costs(cells))
    console.print("eats: out of the stream; error: takes the pending one; sends: into the stream", soft_wrap=True)
    for cell in cells:
        if not cell.agrees:
            console.print(f"{cell.check} in {cell.state}: {not_as_expected(cell)}", style="bold red", soft_wrap=True)
    right = sum(cell.agrees for cell in cells)
    console.print(f"{right} of {len(cells)} cells are as expected")


def not_as_expected(cell: Cell) -> str:
    """Return what is wrong with the cell, in a line."""
    if not cell.proof.holds:
        return f"the state is not proved: {cell.proof.missing}"
    return "; ".join(cell.differs)


def mark(cell: Cell) -> str:
    """Return the cell's entry in the table: at most five characters."""
    if not cell.proof.holds or cell.verdict is None or cell.after_s is None:
        return "?"
    if cell.verdict == "right":
        return "yes" if cell.after_s < _AT_ONCE_S else brief(cell.after_s)
    return {"wrong": "WRONG", "blind": "-"}[cell.verdict]


def brief(seconds: float) -> str:
    """Return a time in at most five characters."""
    if seconds < 0.001:
        return f"{seconds * 1e6:.0f}us"
    return f"{seconds * 1e3:.0f}ms" if seconds < 0.0995 else f"{seconds:.2f}s"


def costs(cells: Iterable[Cell]) -> str:
    """Return what a check costs, over all its cells, in words."""
    eats, error, sends = prices(cells)
    found = [f"eats {eats}" if eats else "", "takes the error" if error else "", f"sends {sends}" if sends else ""]
    return ", ".join(text for text in found if text) or "nothing"


def prices(cells: Iterable[Cell]) -> tuple[str, str, str]:
    """Return a check's costs over all its cells: what it eats, whether it takes an error, what it sends."""
    paid = [cell.cost for cell in cells if cell.cost is not None]
    eaten = max((cost.eaten for cost in paid), default=0)
    sent = max((cost.sent for cost in paid), default=0)
    probes = any("keepalive probe" in cost.packets for cost in paid)
    return (
        "" if not eaten else "1 byte" if eaten == 1 else "all data",
        "yes" if any(cost.swallowed for cost in paid) else "",
        "probes" if probes else "" if not sent else "1 byte" if sent == 1 else f"{sent} bytes",
    )


def _table(cells: list[Cell]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=0)  # the box's own space is enough
    table.add_column("check", no_wrap=True)
    for state in ALL:
        table.add_column(_SHORT.get(state.name, state.name), justify="right", no_wrap=True)
    for name in all_detectors():
        row = {cell.state: cell for cell in cells if cell.check == name}
        table.add_row(name, *(_entry(row.get(state.name)) for state in ALL))
    return table


def _entry(cell: Cell | None) -> Text:
    if cell is None:
        return Text("")
    style = _STYLES.get(cell.verdict or "", "") if cell.agrees else "bold reverse red"
    return Text(mark(cell), style=style)


def _costs(cells: list[Cell]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    for column in ("check", "what it does", "eats", "error", "sends"):
        table.add_column(column, no_wrap=column != "what it does")
    for name, detector in all_detectors().items():
        table.add_row(name, detector.title, *prices(cell for cell in cells if cell.check == name))
    return table
