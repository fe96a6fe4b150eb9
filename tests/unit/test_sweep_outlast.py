"""How long a sweep is foretold to take, and what a person sees while it runs."""

import io
import time

import msgspec
import pytest
from rich.console import Console

from harness.predict.situation import Kernel, Prediction
from harness.spec.settings import Asked
from harness.spec.trial import Trial
from harness.sweep import outlast
from harness.sweep.outlast import EACH_S, LAB_S, wall_s
from harness.sweep.progress import Progress
from tests.unit.examples import record

_KERNEL = Kernel(hz=250)
_DYING = Asked(idle_s=5, interval_s=1, count=3)


def test_a_trial_lasts_its_quiet_and_until_the_sign() -> None:
    found = outlast.of_trial(Trial(fault="cut-link", asked=_DYING, quiet_s=0.2), _KERNEL)
    assert found.dies_s is not None and 7.7 < found.dies_s < 8.4
    assert found.lasts_s == pytest.approx(0.2 + found.dies_s)


def test_what_can_never_be_noticed_is_over_at_once_and_a_limit_is_kept() -> None:
    never = Trial(fault="cut-link")
    assert outlast.of_trial(never, _KERNEL).dies_s is None
    assert outlast.of_trial(never, _KERNEL).lasts_s < 1
    assert outlast.of_trial(msgspec.structs.replace(never, limit_s=9.0), _KERNEL).lasts_s == pytest.approx(9.2)
    short = Trial(fault="cut-link", asked=_DYING, limit_s=2.0)
    assert outlast.of_trial(short, _KERNEL) == outlast.Outlook(None, 2.2)


def test_a_hung_peer_is_watched_for_as_long_as_a_dead_one_would_take() -> None:
    found = outlast.of_trial(Trial(fault="freeze-server", asked=_DYING), _KERNEL)
    assert found.dies_s is None and 10 < found.lasts_s < 12


@pytest.mark.parametrize(("fault", "deadline_s"), [("cut-link", 0.5), ("freeze-server", 5.0)])
def test_a_stream_is_stuck_within_a_second_or_so_and_then_its_deadline_runs(fault: str, deadline_s: float) -> None:
    trial = Trial(fault=fault, traffic="stream", asked=Asked(write_deadline_s=deadline_s))
    found = outlast.of_trial(trial, _KERNEL)
    assert found.dies_s is not None and deadline_s < found.dies_s < deadline_s + 2


def test_the_nats_timeout_is_waited_for_and_a_renewal_makes_it_longer() -> None:
    def lasts(idle_s: int, interval_s: int, timeout_s: int) -> outlast.Outlook:
        asked = Asked(idle_s=idle_s, interval_s=interval_s, count=3)
        return outlast.of_trial(Trial(fault="expire-nat", options={"nat-timeout": timeout_s}, asked=asked), _KERNEL)

    late = lasts(2, 5, 5)
    assert late.dies_s is not None and 15 < late.dies_s < 16.1
    assert late.lasts_s == pytest.approx(7.3 + late.dies_s, abs=0.1)
    never = lasts(20, 1, 5)
    assert never.dies_s is not None and never.lasts_s == pytest.approx(5 + never.dies_s)
    held = lasts(1, 1, 30)
    assert held.dies_s is None and 30 < held.lasts_s < 40


def test_all_of_a_lab_take_as_long_as_the_longest_and_labs_share_places() -> None:
    assert wall_s([[10.0] * 100], labs=8, at_once=1000) == pytest.approx(LAB_S + 100 * EACH_S + 10)
    assert wall_s([[10.0], [10.0], [10.0]], labs=3, at_once=10) == pytest.approx(LAB_S + EACH_S + 10)
    assert wall_s([[10.0], [10.0], [10.0]], labs=2, at_once=10) == pytest.approx(2 * (LAB_S + EACH_S + 10))
    assert wall_s([[10.0] * 4], labs=1, at_once=2) == pytest.approx(LAB_S + 4 * EACH_S + 20, abs=2 * EACH_S)


def _progress(of: int = 20, done: int = 0, **lasts: float) -> tuple[Progress, io.StringIO]:
    out = io.StringIO()
    console = Console(file=out, width=200)
    return Progress(console, of, done, {int(name[1:]): each for name, each in lasts.items()}), out


def _prediction(exact_s: float) -> Prediction:
    return Prediction(verdict="detected", exact_s=exact_s, latest_s=exact_s, why="")


def test_the_line_says_done_running_the_next_to_die_and_the_time_left() -> None:
    progress, _ = _progress(t1=5.0, t2=50.0)
    for number in (1, 2):
        progress("trial", {"number": number, "trial": number, "attempt": 0, "at": 0.0})
    progress("prediction", {"trial": 1, "attempt": 0, "at": 100.0, "fault_at": 99.5, "prediction": _prediction(4.5)})
    line = progress.line(time.monotonic())
    assert line.startswith("0 of 20 done; 2 running; next to die ")
    next_to_die = time.strftime("%H:%M:%S", time.localtime(time.time() + 4))
    assert next_to_die[:5] in line and line.endswith((" in 50 s", " in 49.99 s", " in 49.98 s"))


def test_without_a_terminal_every_tenth_is_a_line() -> None:
    progress, out = _progress(of=20)
    with progress:
        for number in range(20):
            progress("trial", {"number": number, "trial": number, "attempt": 0, "at": 0.0})
        for number in range(20):
            progress.keep(record(trial=number))
    lines = out.getvalue().splitlines()
    assert [line.split(";")[0] for line in lines] == [f"{n} of 20 done" for n in range(2, 21, 2)]


def test_what_is_flagged_is_said_and_is_not_done() -> None:
    progress, out = _progress(of=20)
    progress("trial", {"number": 3, "trial": 3, "attempt": 0, "at": 0.0})
    progress.keep(record(trial=3, flagged="the program was 30 ms late; the budget is 20 ms"))
    assert out.getvalue() == "trial 3 does not count: the program was 30 ms late; the budget is 20 ms\n"
    assert progress.line(time.monotonic()) == "0 of 20 done; 0 running; 1 flagged"


def test_a_run_that_is_gone_on_with_begins_where_it_ended() -> None:
    progress, out = _progress(of=20, done=10)
    progress.keep(record(trial=0))
    assert out.getvalue() == ""
    progress.keep(record(trial=1))
    assert out.getvalue().startswith("12 of 20 done")
