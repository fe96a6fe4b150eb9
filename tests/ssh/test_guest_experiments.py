"""Experiments on hosts with kernels of their own: another version, HZ and clock, another fault back end."""

import statistics
from pathlib import Path
from typing import Any

import pytest

from tests.lab.program import Ended, Program, lines
from tests.ssh.guests import Guests

_WITHIN_S = 90
# Each once; the timers are what is looked at, so few run at a time on a slow guest.
_SWEEP = """
ipv = [4, 6]
[[sweep]]
fault = "crash-server"
keepalive = 1
interval = 1
probes = 2
[[sweep]]
fault = "cut-link"
traffic = "write"
user-timeout = "1500ms"
[[sweep]]
fault = "cut-link"
read-deadline = "1500ms"
traffic = "request"
[[sweep]]
fault = "cut-link"
direction = ["to-client", "to-server"]
keepalive = 1
interval = 1
probes = 1
[[sweep]]
fault = "freeze-server"
keepalive = 1
interval = 1
probes = 1
limit = 3
[[sweep]]
fault = "connect"
syn-retries = 1
"""
_KEEPALIVE = ("--keepalive", "1", "--interval", "1", "--probes", "1", "--json")
# From a timer's instant to what was seen of it: one tick, and what a slow guest takes to send a packet.
_EXACT_S = 0.025


def _run(guests: Guests, results: Path, *words: str) -> Ended:
    hosts = ("--hosts", str(guests.hosts_file))
    with Program(*words, *hosts, results=results, through=guests.through) as program:
        return program.wait(_WITHIN_S)


@pytest.fixture(scope="module")
def records(guests: Guests, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("guests")
    (folder / "sweep.toml").write_text(_SWEEP)
    ended = _run(guests, folder, "sweep", str(folder / "sweep.toml"))
    assert ended.code == 0, ended.err
    (file,) = folder.glob("*/records.jsonl")
    return [record for record in lines(file) if record["flagged"] is None]


@pytest.mark.slow
def test_every_trial_in_a_guest_is_measured_proved_and_as_predicted(records: list[dict[str, Any]]) -> None:
    assert len(records) == 14
    assert [r["why"] for r in records if not (r["agrees"] and r["proof"]["holds"])] == []


@pytest.mark.slow
def test_the_prediction_is_made_for_the_guests_own_kernel(records: list[dict[str, Any]]) -> None:
    for record in records:
        lab = record["lab"]
        assert (lab["hz"], lab["back_end"]) == (100, "tc clsact") and lab["kernel"].startswith("6.1.")
        assert record["settings"]["rto_max_ms"] in (None, 120_000) and record["settings"].get("syn_linear", 0) == 0


@pytest.mark.slow
def test_the_exact_prediction_is_kept_to_a_tick(records: list[dict[str, Any]]) -> None:
    apart = []
    for record in records:
        seen, exact = record["detection"], record["prediction"]["exact_s"]
        instant = seen["kernel_after_s"] or seen["after_s"]
        if exact is not None and instant is not None:
            apart.append(abs(instant - exact))
    assert len(apart) >= 8
    assert statistics.median(apart) < _EXACT_S


@pytest.mark.slow
def test_a_guest_killed_is_a_power_off_and_the_next_run_has_another(guests: Guests, tmp_path: Path) -> None:
    boot = guests.ssh("server", "cat /proc/sys/kernel/random/boot_id").stdout
    ended = _run(guests, tmp_path, "power-off-server", *_KEEPALIVE)
    assert ended.code == 0, ended.err
    (record,) = ended.records
    assert (record["fault"]["where"], record["proof"]["peer"]) == ("server", "powered off")
    assert record["detection"]["sign"] == "ETIMEDOUT"
    # The command's own time is the bracket, and the bracket the uncertainty.
    assert 0 < record["fault"]["uncertainty_s"] < 1
    assert guests.ssh("server", "cat /proc/sys/kernel/random/boot_id").stdout not in ("", boot)
    following = _run(guests, tmp_path, "crash-server", *_KEEPALIVE)
    assert following.code == 0, following.err
    for name in guests.hosts:
        assert guests.becomes_alone(name)
        assert guests.files(name) == [] and "clsact vec1" not in guests.qdiscs(name)
