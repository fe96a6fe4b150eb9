"""A whole command from outside: what it prints where, what it keeps, and that the machine is as it was before."""

import statistics
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.lab import host, pcapng
from tests.lab.conftest import Ordinary
from tests.lab.program import Ended, Program, lines, run

_MAIN = ("crash-client", "--keepalive", "2", "--interval", "1", "--probes", "3", "--json", "--pcap")
_TWICE = ("cut-link", "--keepalive", "1", "--interval", "1", "--probes", "1", "--repeat", "2")
# The contract: docs/record.md. Fields may be added.
_CONTRACT: dict[str, Any] = {
    "schema": 1,
    "experiment": "crash-client",
    "trial": 0,
    "settings": {
        "keepalive": True,
        "idle_s": 2,
        "interval_s": 1,
        "count": 3,
        "user_timeout_ms": 0,
        "read_deadline_s": None,
        "write_deadline_s": None,
        "heartbeat_s": None,
        "retries2": 15,
        "rto_max_ms": 120_000,
        "syn_count": 6,
    },
    "traffic": "idle",
    "survivor": "server",
    "ipv": 4,
    "lab": {"kind": "netns", "kernel": str, "hz": int, "hosts": dict},
    "fault": {
        "kind": "crash-client",
        "where": "router",
        "quiet_s": float,
        "uncertainty_s": float,
        "healed_after_s": None,
    },
    "detection": {
        "verdict": "detected",
        "sign": "ETIMEDOUT",
        "by": "keepalive",
        "after_s": float,
        "kernel_after_s": float,
    },
    "prediction": {
        "verdict": "detected",
        "sign": "ETIMEDOUT",
        "by": "keepalive",
        "earliest_s": float,
        "latest_s": float,
        "exact_s": object,  # a number, or null where the jiffy clock cannot be calibrated
        "why": str,
    },
    "agrees": True,
    "proof": {
        "half_open": True,
        "survivor_state": "ESTABLISHED",
        "peer": "killed",
        "to_survivor_after_fault": 0,
        "dropped_packets": int,
        "timer": "keepalive",
        "probes_seen": 3,
    },
    "warnings": [],
}


class Runs(msgspec.Struct):
    """What three commands left that ran at the same time, and the machine before and after."""

    main: Ended
    ordinary: Ended
    twice: Ended
    results: Path
    theirs: Path
    before: tuple[dict[str, list[str]], dict[str, str]]
    after: tuple[dict[str, list[str]], dict[str, str]]


@pytest.fixture(scope="module")
def runs(ordinary: Ordinary, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    results, theirs = tmp_path_factory.mktemp("results"), ordinary.home / "results"
    before = host.network(), host.sysctls()
    with ExitStack() as running:
        main = running.enter_context(Program(*_MAIN, results=results / "main"))
        other = running.enter_context(Program(*_MAIN, results=theirs, through=ordinary.through()))
        twice = running.enter_context(Program(*_TWICE, results=results / "twice"))
        ended = main.wait(30), other.wait(30), twice.wait(30)
        assert all(program.leaves_nothing() for program in (main, other, twice))
    yield Runs(*ended, results, theirs, before, (host.network(), host.sysctls()))


def test_the_main_job_is_measured_proved_and_as_predicted(runs: Runs) -> None:
    assert runs.main.code == 0, runs.main.err
    (record,) = runs.main.records
    _fulfils(record, _CONTRACT)
    assert record["prediction"]["earliest_s"] - 0.02 < record["detection"]["after_s"] < 6.0


def _fulfils(found: dict[str, Any], contract: dict[str, Any], where: str = "") -> None:
    for name, wanted in contract.items():
        assert name in found, f"{where}{name} is missing"
        if isinstance(wanted, dict):
            _fulfils(found[name], wanted, f"{where}{name}.")
        elif isinstance(wanted, type):
            assert isinstance(found[name], wanted), f"{where}{name}: {found[name]!r}"
        else:
            assert found[name] == wanted, f"{where}{name}: {found[name]!r}"


def test_an_ordinary_user_gets_the_same_answer(runs: Runs) -> None:
    assert runs.ordinary.code == 0, runs.ordinary.err
    (record,) = runs.ordinary.records
    _fulfils(record, _CONTRACT)
    # Both were silent for nearly the same time before the fault: what is left is one step of the timer wheel.
    (other,) = runs.main.records
    whole = [r["fault"]["quiet_s"] + r["detection"]["after_s"] for r in (record, other)]
    assert abs(whole[0] - whole[1]) < 0.3
    assert {file.name for file in _only(runs.theirs).iterdir()} == {file.name for file in _kept(runs).iterdir()}


def test_what_is_for_people_goes_to_standard_error(runs: Runs) -> None:
    assert "ETIMEDOUT" in runs.main.err and str(_kept(runs)) in runs.main.err
    assert "keepalive probe 3 from the server" in runs.main.err
    assert runs.twice.out == ""


def test_the_folder_of_a_run(runs: Runs) -> None:
    folder = _kept(runs)
    assert lines(folder / "records.jsonl") == runs.main.records
    events = [event["event"] for event in lines(folder / "events.jsonl")]
    assert {"trial", "packet", "injecting", "fault", "prediction", "endpoint"} <= set(events)
    machine = msgspec.json.decode((folder / "machine.json").read_bytes())
    assert {"kernel", "hz", "python", "sysctls"} <= machine.keys()
    assert "packets.pcapng" not in {file.name for file in _only(runs.results / "twice").iterdir()}


def test_the_packets_that_were_kept(runs: Runs) -> None:
    content = pcapng.read(_kept(runs) / "packets.pcapng")
    assert content.interfaces == 2
    # SYN, SYN ACK, ACK on both links; then what the router dropped, which one link alone saw.
    assert len(content.packets) >= 6 + 3
    assert len(content.packets) == len([e for e in lines(_kept(runs) / "events.jsonl") if e["event"] == "packet"])


def test_repeating_gives_median_and_spread(runs: Runs) -> None:
    assert runs.twice.code == 0, runs.twice.err
    times = [r["detection"]["after_s"] for r in lines(_only(runs.results / "twice") / "records.jsonl")]
    assert len(times) == 2
    assert f"2 of 2 detected: median {statistics.median(times):.3f} s" in runs.twice.err
    assert f"from {min(times):.3f} s to {max(times):.3f} s" in runs.twice.err and "spread" in runs.twice.err


def test_nothing_of_the_host_is_changed(runs: Runs) -> None:
    (network, sysctls), (network_after, sysctls_after) = runs.before, runs.after
    assert network["links"] and len(sysctls) > 100
    assert network_after == network
    # A module that the kernel loaded meanwhile (nf_tables, conntrack) brings sysctls of its own.
    assert {name: sysctls_after.get(name) for name in sysctls} == sysctls


def test_listing_and_help_name_every_experiment() -> None:
    listing = run("--list", results=None)
    assert listing.code == 0 and listing.err == ""
    for name in ("crash-client", "connect", "freeze-server", "doctor"):
        assert f"  {name} " in listing.out
    explained = run("--help", "crash-client", results=None)
    assert explained.code == 0 and "--keepalive" in explained.out and "TCP_KEEPIDLE" in explained.out


def _kept(runs: Runs) -> Path:
    return _only(runs.results / "main")


def _only(results: Path) -> Path:
    (folder,) = results.iterdir()
    return folder
