"""Ctrl-C reaches the whole process group, and ends the command within a second: exit code 130, nothing left behind, and
what was seen so far is kept. SIGTERM likewise."""

import random
import signal
from pathlib import Path

import pytest

from tests.lab.program import Ended, Program, eventually, lines

_WITHIN_S = 1.0
_SEED = 20
# The settings of a trial that would go on for a minute at least.
_LONG = ("--keepalive", "60")


def _interrupted(ended: Ended) -> None:
    assert ended.code == 130, ended
    assert ended.after_s < _WITHIN_S
    assert "Traceback" not in ended.err and "Error" not in ended.err, ended.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
@pytest.mark.parametrize(
    ("words", "event"),
    [
        pytest.param(("cut-link", *_LONG, "--quiet", "60"), "trial", id="keeping quiet"),
        pytest.param(("crash-client", *_LONG), "fault", id="peer killed"),
        pytest.param(("freeze-server", *_LONG, "--limit", "60"), "fault", id="peer frozen"),
        pytest.param(("connect",), "fault", id="connecting"),
        pytest.param(("cut-link", "--traffic", "stream"), "fault", id="writing"),
        pytest.param(("expire-nat", "--nat-timeout", "60"), "packet", id="waiting for the NAT"),
    ],
)
def test_an_interrupted_command(words: tuple[str, ...], event: str, number: signal.Signals, tmp_path: Path) -> None:
    with Program(*words, "--json", "--pcap", results=tmp_path) as program:
        program.await_event(event)
        ended = program.end(number)
        assert program.leaves_nothing(), program.left()
    _interrupted(ended)
    (folder,) = tmp_path.iterdir()
    assert ended.err.splitlines()[-1] == f"interrupted; what was seen is in {folder}"
    assert ended.out == "" and lines(folder / "records.jsonl") == []
    told = [each["event"] for each in lines(folder / "events.jsonl")]
    assert event in told and told[-1] == "interrupted"


def test_what_was_finished_is_kept(tmp_path: Path) -> None:
    words = ("cut-link", "--keepalive", "1", "--interval", "1", "--probes", "1", "--repeat", "1000", "--json")
    with Program(*words, results=tmp_path) as program:
        program.await_event("trial")
        (folder,) = tmp_path.iterdir()
        assert eventually(lambda: (folder / "records.jsonl").stat().st_size > 0)
        ended = program.end(signal.SIGINT)
        assert program.leaves_nothing(), program.left()
    _interrupted(ended)
    kept = lines(folder / "records.jsonl")
    assert len(kept) >= 1 and ended.records == kept
    # The table of what there is, and then the reason why there is no more.
    assert "ETIMEDOUT by keepalive" in ended.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("after_s", [round(random.Random(_SEED).uniform(0, 0.2) * n, 3) for n in range(4)])
def test_while_it_starts(number: signal.Signals, after_s: float, tmp_path: Path) -> None:
    """From the first thing that it leaves behind, the run's folder: namespaces, links and agents come and go here."""
    with Program("cut-link", *_LONG, results=tmp_path) as program:
        assert eventually(lambda: any(tmp_path.iterdir()), every_s=0.001)
        eventually(lambda: False, within_s=after_s, every_s=0.001)
        ended = program.end(number)
        assert program.leaves_nothing(), program.left()
    _interrupted(ended)
    # A run that ended before anything was kept takes its folder with it.
    assert len(list(tmp_path.iterdir())) <= 1
    for file in tmp_path.glob("*/*.jsonl"):
        lines(file)
