"""What is printed while a trial runs."""

import io
import threading

from examples import nothing, prediction
from rich.console import Console

from harness.labs.protocols import Mark
from harness.observe.packets import Packet
from harness.observe.segments import Segment
from harness.predict.situation import Step
from harness.report import terminal
from harness.report.terminal import Terminal

MARK = Mark(before=100_000_000_000, after=100_000_000_000, peer="killed")
SIGN = {"side": "server", "what": "sign", "sign": "ETIMEDOUT", "call": "recv", "at": 104_795_000_000, "conn": "c0"}


class Screen:
    """A console of 80 columns that keeps what was printed."""

    def __init__(self, is_terminal=False):
        self.out = io.StringIO()
        self.console = Console(
            file=self.out, width=80, height=25, force_terminal=is_terminal, color_system=None, highlight=False
        )

    def lines(self):
        return self.out.getvalue().splitlines()


def told(*events, screen=None):
    screen = screen or Screen()
    with Terminal(screen.console) as display:
        for name, fields in events:
            display(name, {"at": 0.0, **fields})
    return screen.lines()


def segment(role="keepalive probe", at=101.723, sender="server", again=False):
    return Segment(role=role, sender=sender, again=again, packet=Packet(at, "r-server", False, 4, "a", "b"))


FAULT = ("fault", {"at": 100.0, "mark": MARK})


def test_a_trial_from_fault_to_sign():
    assert told(
        ("trial", {"number": 0, "of": 1}),
        FAULT,
        ("prediction", {"prediction": prediction(), "fault_at": 100.0}),
        ("segment", {"segment": segment()}),
        ("segment", {"segment": segment(at=102.747)}),
        ("segment", {"segment": segment("retransmission", 103.0, "client", again=True)}),
        ("endpoint", SIGN),
        ("healed", {"at": 105.0}),
    ) == [
        "    +0.000 s  fault in force (router; peer killed)",
        "   predicted  ETIMEDOUT by keepalive: 4.795 s, within 4.779 to 4.807 s",
        "    +1.723 s  keepalive probe 1 from the server",
        "    +2.747 s  keepalive probe 2 from the server",
        "    +3.000 s  retransmission 1 from the client",
        "    +4.795 s  ETIMEDOUT at the server (recv)",
        "    +5.000 s  healed",
    ]


def test_trials_are_numbered_where_there_are_several_and_count_their_probes_anew():
    lines = told(
        ("trial", {"number": 0, "of": 2}),
        FAULT,
        ("segment", {"segment": segment()}),
        ("trial", {"number": 1, "of": 2}),
        FAULT,
        ("segment", {"segment": segment()}),
    )
    assert lines[0] == "trial 1 of 2" and lines[3] == "trial 2 of 2"
    assert lines[2] == lines[5] == "    +1.723 s  keepalive probe 1 from the server"


def test_what_was_before_the_fault_and_plain_traffic_are_not_shown():
    lines = told(
        ("segment", {"segment": segment()}),
        FAULT,
        ("segment", {"segment": segment(at=99.9)}),
        ("segment", {"segment": segment("ack")}),
        ("segment", {"segment": segment("data")}),
    )
    assert len(lines) == 1


def test_a_stuck_write_is_told_only_after_the_fault():
    stuck = ("endpoint", {"side": "client", "what": "blocked", "at": 101_000_000_000, "conn": "c0"})
    assert told(stuck, FAULT, stuck)[1:] == ["    +1.000 s  the client's write is stuck"]


def test_a_flood_is_cut_short(monkeypatch):
    monkeypatch.setattr(terminal, "_MOST_SEGMENTS", 2)
    lines = told(FAULT, *[("segment", {"segment": segment()})] * 10)
    assert len(lines) == 4
    assert lines[-1].endswith("more segments follow; events.jsonl has them all")


def test_events_that_nobody_draws_are_passed_over():
    assert told(("packet", {"packet": object()}), ("interrupted", {})) == []


def test_lines_fit_eighty_columns():
    longest = prediction(by="user-timeout", earliest_s=7882.123, latest_s=8013.456, exact_s=7901.123, ambiguous=True)
    lines = told(FAULT, ("prediction", {"prediction": longest, "fault_at": 100.0}), ("endpoint", SIGN))
    assert max(map(len, lines)) <= 80
    assert lines[1:3] == [
        "   predicted  ETIMEDOUT by user-timeout: 7901.123 s, within 7882.123 to 8013.456",
        "              s, ambiguous",
    ]


def test_elsewhere_than_on_a_terminal_nothing_counts_down_and_nothing_runs_beside():
    screen, threads = Screen(), threading.active_count()
    with Terminal(screen.console) as display:
        display("fault", {"at": 100.0, "mark": MARK})
        assert threading.active_count() == threads
    assert screen.lines() == ["    +0.000 s  fault in force (router; peer killed)"]


def test_on_a_terminal_the_last_line_counts_down():
    screen = Screen(is_terminal=True)
    told(screen=screen)
    assert "building the lab ..." in screen.out.getvalue()


def countdown(monkeypatch, now, *events):
    monkeypatch.setattr(terminal.time, "monotonic", lambda: now)
    display = Terminal(Screen().console)
    for name, fields in events:
        display(name, {"at": 0.0, **fields})
    return str(display._countdown())


def test_the_countdown_names_what_comes_next_and_what_comes_last(monkeypatch):
    steps = [Step(at_s=1.723, what="probe 1"), Step(at_s=2.747, what="probe 2"), Step(at_s=4.795, what="ETIMEDOUT")]
    said = ("prediction", {"prediction": prediction(steps=steps), "fault_at": 100.0})
    assert countdown(monkeypatch, 101.0, FAULT, said) == "       1.0 s  next: probe 1 in 0.7 s; ETIMEDOUT in 3.79 s"
    assert countdown(monkeypatch, 104.0, FAULT, said) == "       4.0 s  next: ETIMEDOUT in 0.8 s"
    assert countdown(monkeypatch, 105.0, FAULT, said) == "       5.0 s  "


def test_the_countdown_before_and_after_everything(monkeypatch):
    never = ("prediction", {"prediction": nothing(), "fault_at": 100.0})
    assert countdown(monkeypatch, 99.0).strip() == "building the lab ..."
    assert (
        countdown(monkeypatch, 99.0, ("trial", {"number": 0, "of": 1})).strip() == "connecting, then keeping quiet ..."
    )
    watching = ("watching", {"until": 110.0})
    assert countdown(monkeypatch, 101.0, FAULT, never, watching).endswith("watching for another 9 s")
