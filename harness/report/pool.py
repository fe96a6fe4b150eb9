"""The strategies of a pool side by side on the terminal, within 80 columns, and what the columns mean."""

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.pool.options import Asked
from harness.pool.record import PoolRecord
from harness.pool.schedule import RANGES
from harness.pool.strategies import STRATEGIES
from harness.units import format_duration

_COLUMNS = (
    "strategy",
    "answered\n%",
    "failed\n%",
    "lost\n%",
    "unsaid\n%",
    "twice\n%",
    "caught\n",
    "false\nalarms",
    "race\n",
    "+median\nms",
    "+p99\nms",
)
_LEGEND = (
    "answered, failed (an error was told), lost (no word by the deadline): what callers met. unsaid: executed, and the "
    "caller does not know. twice: executed more than once. caught, false alarms: connections taken out after their "
    "FIN, and without one. race: the FIN came after the look, before the request arrived. +: added to the answer's "
    "time on a healthy new connection."
)


def introduction(asked: Asked) -> str:
    """Return what is about to be measured, in one line."""
    low, high = RANGES[asked.use]
    if asked.server == "nat-forgot":
        closes = f"a NAT forgets them after {format_duration(asked.nat_s)} ({asked.on_expiry})"
    else:
        how = "closes" if asked.close == "close" else "half-closes"
        closes = f"the server {how} them after {format_duration(asked.idle_s)}"
    crash = f", its machine is gone for {format_duration(asked.down_s)}" if asked.server == "crashed" else ""
    each = "" if len(asked.strategies) == 1 else f" for each of {len(asked.strategies)} strategies"
    return (
        f"{asked.requests} requests{each} over {asked.pool} connections, idle for {low:g} to {high:g} times as long as "
        f"is allowed; {closes}{crash}; IPv{asked.ipv}; takes about {format_duration(round(asked.lasts_s))}"
    )


def show(records: list[PoolRecord], console: Console) -> None:
    console.print(table(records))
    console.print(_LEGEND, style="dim")
    for sentence in (*sentences(records), *_missing(records)):
        console.print(sentence, markup=False)


def table(records: list[PoolRecord]) -> Table:
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=0)
    for column in _COLUMNS:
        made.add_column(column, justify="left" if column == "strategy" else "right", no_wrap=True)
    for each in records:
        made.add_row(*cells(each))
    return made


def cells(each: PoolRecord) -> list[str | Text]:
    """Return the row of one strategy."""
    shares, looks = each.shares, STRATEGIES[each.strategy].looks
    told = (shares.answered, shares.failed, shares.lost, shares.executed_unanswered, shares.executed_twice)
    return [
        each.strategy,
        *(f"{share * 100:.1f}" for share in told),
        str(each.checked.caught) if looks else "-",
        str(each.checked.false_alarms) if looks else "-",
        str(each.race.between + each.race.crossed) if looks else "-",
        _ms(each.latency.added_median_s),
        _ms(each.latency.added_p99_s),
    ]


def _ms(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1000:.2f}"


def sentences(records: list[PoolRecord]) -> list[str]:
    """Return what the run shows about the race, and what it is measured against."""
    found = []
    looking = [each for each in records if STRATEGIES[each.strategy].looks and each.checked.caught]
    raced = [each for each in looking if each.race.between + each.race.crossed]
    if raced:
        between, crossed = (sum(each.race.between for each in raced), sum(each.race.crossed for each in raced))
        total = sum(each.requests for each in looking)
        found.append(
            f"The race: {between + crossed} of {total} requests that were checked first met a FIN that came too late "
            f"to be seen: {between} times it passed the router between check and write, {crossed} times it met the "
            "request on the way. No check can close this."
        )
    control = records[0].latency
    if control.control_median_s is not None and control.control_p99_s is not None:
        found.append(
            f"A healthy new connection answers in {control.control_median_s * 1000:.2f} ms (p99 "
            f"{control.control_p99_s * 1000:.2f} ms)."
        )
    return found


def _missing(records: list[PoolRecord]) -> list[str]:
    return [
        f"{each.strategy}: NOT PROVED: {'; '.join(each.evidence.missing)}"
        for each in records
        if not each.evidence.holds
    ]
