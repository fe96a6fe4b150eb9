"""An ending as a person sees it: a timeline of both ends, what did not agree, and the sentence that explains it."""

from collections.abc import Iterator
from typing import NamedTuple

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from harness.endings.record import Act, Ending, Look, Passed
from harness.units import format_duration

_SETTLED_S = 0.05  # a call that took longer is said to have waited
_MOST_ROWS = 60
_ORPHAN = "*"


class Row(NamedTuple):
    at_s: float
    what: str
    state: Look | None
    packet: str


def show_ending(ending: Ending, console: Console, of: int = 1) -> None:
    """Print the timeline and the judgement of one trial."""
    if of > 1:
        console.print(f"[bold]trial {ending.trial + 1} of {of}[/]")
    console.print(timeline(ending))
    if any(_state(look).endswith(_ORPHAN) for look in ending.states):
        console.print(f"        {_ORPHAN} no process holds this socket any more")
    for what, words in _judgement(ending):
        console.print(f" [bold]{what:<11}[/] {escape(words)}", soft_wrap=True)
    console.print(escape(ending.why), soft_wrap=True)


def timeline(ending: Ending) -> Table:
    """Return the timeline: instant, what was done or seen, both ends' states as far as known by then, packet."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("s", justify="right", no_wrap=True)
    table.add_column("done or seen", overflow="fold", min_width=24)
    for column in ("client", "server"):
        table.add_column(column, no_wrap=True)
    table.add_column("packet", overflow="fold", min_width=16)
    states = {"client": "", "server": ""}
    shown = 0
    for row in sorted(_rows(ending), key=lambda row: row.at_s):
        if row.state is not None:
            words = _state(row.state)
            if states[row.state.side] == words:
                continue
            states[row.state.side] = words
        shown += 1
        if shown > _MOST_ROWS:
            table.add_row("", f"more follows; --json has it all ({len(ending.packets)} packets)")
            break
        table.add_row(f"{row.at_s:+.4f}", escape(row.what), states["client"], states["server"], row.packet)
    return table


def _rows(ending: Ending) -> Iterator[Row]:
    for act in ending.acts:
        yield Row(act.at_s, _act(act), None, "")
    for look in ending.states:
        yield Row(look.at_s + look.took_s, "", look, "")
    for packet in ending.packets:
        yield Row(packet.at_s, "", None, _packet(packet))


def _act(act: Act) -> str:
    if act.call == "cut":
        return "the path is cut"
    if act.call in ("kill", "exit"):
        return f"{act.side}: " + ("kill -9" if act.call == "kill" else "its process ends")
    if act.call == "serve":
        return f"{act.side}: reads what comes, until it has been idle for {format_duration(act.asked / 1e9)}"
    asked = "" if act.asked is None else str(act.asked)
    said = act.error or ("" if act.result is None else str(act.result))
    waited = f", after {format_duration(act.took_s)}" if act.took_s > _SETTLED_S else ""
    return f"{act.side}: {act.call}({asked})" + (f" = {said}" if said else "") + waited


def _state(look: Look) -> str:
    gone = look.state in ("CLOSED", "TIME_WAIT")
    return look.state if look.owned or gone else look.state + _ORPHAN


def _packet(packet: Passed) -> str:
    arrow = "->" if packet.sender == "client" else "<-"
    size = f" {packet.payload}" if packet.payload else ""
    name = packet.role.upper() if packet.role in ("fin", "rst", "syn") else packet.role
    again = " again" if packet.again and packet.role == "fin" else ""
    return f"{arrow} {name}{size}{again}" + (", dropped" if packet.dropped else "")


def _judgement(ending: Ending) -> Iterator[tuple[str, str]]:
    if ending.effect_after_s is not None:
        yield "effect", f"{ending.effect}, {format_duration(max(0.0, ending.effect_after_s))} after the instant asked"
    for part in ending.bytes:
        if part["accepted"]:
            yield (
                "bytes",
                f"{part['writer']}: {part['accepted']} accepted, {part['delivered']} read by the other end,"
                f" {part['lost']} lost",
            )
    yield "consistent", "yes" if ending.consistent else "no: " + "; ".join(ending.missing)
    failed = [check for check in ending.checks if not check.holds]
    if not failed:
        yield "expected", f"yes, {len(ending.checks)} of {len(ending.checks)}"
    for check in failed:
        yield "expected", f"no: {check.what}: {check.seen}, not {check.wanted} ({check.why})"
