"""``invoke stale-pool`` as a person runs it: shares, races and evidence of real connections through the lab.

Smaller than its default, so that a case takes seconds: what is asserted is what the schedule decides (the share of gaps
longer than the idle timeout), within the 3 points that the program promises.
"""

import signal
from pathlib import Path
from typing import Any

import pytest

from harness.pool.strategies import STRATEGIES
from tests.lab.program import Program, lines, run

_POINTS = 0.03
_SEES_FIN = ("read", "peek", "poll", "tcp-info", "zero-recv", "background")
_SMALL = ("--requests", "300", "--pool", "25")


def _stale_pool(tmp_path: Path, *words: str, code: int = 0) -> dict[str, dict[str, Any]]:
    """Run it; return its records by strategy."""
    ended = run("stale-pool", "--json", *words, results=tmp_path / "results", within_s=60)
    assert ended.code == code, ended.err
    return {record["strategy"]: record for record in ended.records}


def _adds_up(record: dict[str, Any]) -> bool:
    shares = record["shares"]
    return bool(shares["answered"] + shares["failed"] + shares["lost"] == pytest.approx(1.0))


@pytest.mark.parametrize("close", ["close", pytest.param("half", marks=pytest.mark.slow)])
def test_what_each_strategy_saves(close: str, tmp_path: Path) -> None:
    found = _stale_pool(tmp_path, *_SMALL, "--close", close, "--ipv", "4" if close == "close" else "6")
    assert found.keys() == STRATEGIES.keys()
    for name, record in found.items():
        assert _adds_up(record) and record["evidence"]["holds"], name
        assert record["evidence"]["missing"] == [] and record["requests"] == 300

    # The client that does nothing, and the check that sees nothing, lose what the schedule says: half.
    for name in ("none", "so-error"):
        assert found[name]["shares"]["failed"] == pytest.approx(found[name]["longer_gaps"], abs=_POINTS)
        assert found[name]["signs"]["EOF"] == round(found[name]["shares"]["failed"] * 300)
    # A check that sees FIN misses none that was there, and fails where it raced, and nowhere else.
    for name in _SEES_FIN:
        checked, race = found[name]["checked"], found[name]["race"]
        assert checked["false_alarms"] == 0 and checked["caught"] >= 130, name
        # A reader that had no processor since the FIN came knows nothing of it; a check looks for itself.
        assert checked["missed"] <= (6 if name == "background" else 0), name
        assert found[name]["shares"]["failed"] == pytest.approx(race["share"] + checked["missed"] / 300)
        assert race["share"] <= _POINTS
    # The zero-byte read is right about every stale connection, and wrong about every healthy one.
    assert found["zero-read"]["shares"]["answered"] == 1.0
    assert found["zero-read"]["checked"]["false_alarms"] + found["zero-read"]["checked"]["caught"] == 300
    # Trying again helps, once more helps more.
    answered = {name: record["shares"]["answered"] for name, record in found.items()}
    assert answered["none"] + _POINTS < answered["retry"] < answered["retry-n"]

    shares = {name: found[name]["shares"] for name in ("none", "retry", "hedge")}
    if close == "half":  # what was written arrived and was executed: the caller was told that it failed
        assert shares["none"]["executed_unanswered"] == shares["none"]["failed"]
        assert shares["none"]["never_executed"] == 0
        assert shares["retry"]["executed_twice"] > 0.1 and shares["hedge"]["executed_twice"] > 0.1
    else:  # it met no socket: a second try is safe
        assert shares["none"]["never_executed"] == shares["none"]["failed"]
        assert all(share["executed_twice"] == share["executed_unanswered"] == 0 for share in shares.values())


@pytest.mark.slow
def test_the_race_is_as_large_as_the_time_between_check_and_write(tmp_path: Path) -> None:
    # The gaps are spread over 40 ms: a FIN comes within the 10 ms of preparation in a quarter of them.
    words = ("--use", "edge", "--prepare", "10ms", "--strategy", "peek,poll,tcp-info", "--requests", "400")
    for name, record in _stale_pool(tmp_path, *words, "--pool", "20").items():
        assert record["race"]["between"] / 400 == pytest.approx(0.25, abs=0.06), name
        assert record["shares"]["failed"] == pytest.approx(record["race"]["share"])
        assert record["checked"]["missed"] == 0


@pytest.mark.slow
def test_what_heavy_use_meets_and_idle_use(tmp_path: Path) -> None:
    heavy = _stale_pool(tmp_path, "--use", "heavy", "--strategy", "none,peek", "--requests", "200", "--pool", "8")
    assert all(record["shares"]["answered"] == 1.0 for record in heavy.values())
    assert heavy["peek"]["checked"] == {"stale": 0, "caught": 0, "missed": 0, "false_alarms": 0}
    idle = _stale_pool(tmp_path, "--use", "idle", "--strategy", "none,peek", "--requests", "200", "--pool", "25")
    assert idle["none"]["shares"]["failed"] == 1.0 and idle["peek"]["shares"]["answered"] == 1.0


@pytest.mark.slow
@pytest.mark.parametrize(("on_expiry", "told"), [("silent", "lost"), ("reset", "failed")])
def test_no_check_sees_that_a_nat_forgot(on_expiry: str, told: str, tmp_path: Path) -> None:
    words = ("--server", "nat-forgot", "--on-expiry", on_expiry, "--strategy", "none,peek,poll,tcp-info,background")
    for name, record in _stale_pool(tmp_path, *words, "--requests", "250", "--pool", "50").items():
        assert record["shares"][told] == pytest.approx(0.5, abs=0.04), name
        assert record["shares"]["never_executed"] == pytest.approx(record["shares"][told])
        assert record["checked"]["caught"] == 0
        assert record["settings"]["nat_timeout_s"] == 1 and record["settings"]["idle_timeout_s"] is None


@pytest.mark.slow
@pytest.mark.parametrize("ipv", ["4", "6"])
def test_a_crash_is_silence_until_another_server_is_up(ipv: str, tmp_path: Path) -> None:
    words = ("--server", "crashed", "--use", "heavy", "--down", "2", "--strategy", "none,peek,hedge", "--ipv", ipv)
    found = _stale_pool(tmp_path, *words, "--requests", "400", "--pool", "8")
    for name, record in found.items():
        # Each of the 8 connections waits out two to five deadlines within two seconds.
        assert 0.02 < record["shares"]["lost"] < 0.12, name
        assert record["shares"]["answered"] + record["shares"]["lost"] == pytest.approx(1.0, abs=0.02)
        assert record["evidence"]["holds"] and record["settings"]["down_s"] == 2


@pytest.mark.slow
def test_the_shares_are_the_same_with_another_seed(tmp_path: Path) -> None:
    words = ("--strategy", "none,peek,background,retry,retry-n", "--requests", "600", "--pool", "50")
    one, other = (_stale_pool(tmp_path, *words, "--seed", seed) for seed in ("1", "2"))
    for name, record in one.items():
        for share, value in record["shares"].items():
            assert other[name]["shares"][share] == pytest.approx(value, abs=_POINTS), (name, share)


def test_it_keeps_what_it_saw(tmp_path: Path) -> None:
    _stale_pool(tmp_path, "--strategy", "none", "--requests", "20", "--pool", "20", "--pcap")
    (folder,) = (tmp_path / "results").iterdir()
    assert folder.name.endswith("-stale-pool")
    assert {file.name for file in folder.iterdir()} == {
        "events.jsonl",
        "machine.json",
        "packets.pcapng",
        "records.jsonl",
    }
    events = lines(folder / "events.jsonl")
    assert sum(len(event["rows"]) for event in events if event["event"] == "requests") == 20
    assert any(event["event"] == "ends" and event["fin"] for event in events)
    assert [record["strategy"] for record in lines(folder / "records.jsonl")] == ["none"]


def test_a_refused_value_does_nothing(tmp_path: Path) -> None:
    ended = run("stale-pool", "--requests=19", results=tmp_path / "results")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("--requests: ") and ended.err.count("\n") == 1
    assert not (tmp_path / "results").exists()


def test_interrupted_it_says_where_it_left_what_it_saw_and_leaves_nothing(tmp_path: Path) -> None:
    with Program("stale-pool", "--strategy", "none,peek", results=tmp_path / "results") as program:
        program.await_event("requests")
        ended = program.end(signal.SIGINT)
        assert ended.code == 130 and "interrupted" in ended.err and "Traceback" not in ended.err
        assert program.leaves_nothing()
