"""Experiments on hosts reached over SSH: measured, proved, as predicted, and with the answers of namespaces.

Two sweeps run against the same pair at the same time, one for each survivor, and both again in namespaces.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.lab.program import Ended, Program, lines
from tests.ssh.keys import Keys
from tests.ssh.namespaces import Pair
from tests.ssh.plan import Plan

_WITHIN_S = 60
_KEEPALIVE = {"keepalive": 1, "interval": 1, "probes": 2}
_BOTH = {"ipv": [4, 6]}
_CLIENT: list[dict[str, Any]] = [
    {"fault": "crash-server", **_KEEPALIVE, **_BOTH},
    {"fault": "cut-link", **_KEEPALIVE, "direction": ["to-client", "to-server"], "traffic": ["idle", "request"]},
    {"fault": "cut-link", "user-timeout": "1500ms", "traffic": ["write", "stream", "blocked"], **_BOTH},
    {"fault": "cut-link", "read-deadline": "1500ms", "deadline-by": ["poll", "rcvtimeo"], "traffic": "listen"},
    {"fault": "cut-link", "write-deadline": 1, "traffic": "blocked"},
    {"fault": "freeze-server", **_KEEPALIVE, **_BOTH, "limit": 4},
    {"fault": "freeze-server", "heartbeat": "500ms", "heartbeat-misses": 2},
    {"fault": "fill-window", "user-timeout": "2s"},
    {"fault": "drop-packets", **_KEEPALIVE, "percent": 100},
    {"fault": "flap-link", "down": "1500ms", **_KEEPALIVE, "traffic": ["idle", "stream"]},
    {"fault": ["reboot-server", "kill-server", "no-fault"], **_KEEPALIVE, "limit": 4},
    {"fault": "connect", "syn-retries": 1, **_BOTH},
]
# tcp_retries2 belongs to a whole host: the one that survives has it for all trials of this sweep.
_SERVER: list[dict[str, Any]] = [
    {"fault": ["crash-client", "freeze-client"], **_KEEPALIVE, **_BOTH, "limit": 4},
    {"fault": "cut-link", "survivor": "server", "traffic": ["write", "blocked"], **_BOTH},
    {"fault": "cut-link", "survivor": "server", **_KEEPALIVE, "direction": ["to-client", "to-server"]},
    {"fault": "reboot-client", **_KEEPALIVE},
]
_RETRIES = 2
# Two trials: the second has the machine that was started again. They have hosts of their own.
_POWER_OFF = ("power-off-server", "--keepalive", "1", "--interval", "1", "--probes", "1", "--repeat", "2", "--json")


class Sweeps(msgspec.Struct):
    """What two sweeps left, over SSH and in namespaces: how each ended, and the records that count, by their cells."""

    far: list[Ended]
    near: list[Ended]
    far_records: dict[str, dict[str, Any]]
    near_records: dict[str, dict[str, Any]]
    power_off: Ended
    switched: Pair


def _write(file: Path, sweeps: list[dict[str, Any]], **common: Any) -> Path:
    def block(values: dict[str, Any]) -> str:
        return "".join(f"{key} = {msgspec.json.encode(value).decode()}\n" for key, value in values.items())

    file.write_text(block(common) + "".join(f"[[sweep]]\n{block(sweep)}" for sweep in sweeps))
    return file


def _counting(folders: list[Path]) -> dict[str, dict[str, Any]]:
    """A trial that was late because the machine was busy is run again; the last attempt is the one that counts."""
    records = [r for folder in folders for file in folder.glob("*/records.jsonl") for r in lines(file)]
    return {record["cell"]: record for record in sorted(records, key=lambda record: record["attempt"])}


@pytest.fixture(scope="module")
def sweeps(pair: Pair, run_keys: Keys, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sweeps]:
    folder = tmp_path_factory.mktemp("sweeps")
    files = [_write(folder / "client.toml", _CLIENT), _write(folder / "server.toml", _SERVER, retries=_RETRIES)]
    hosts = ("--hosts", str(pair.hosts_file))
    far, near = [folder / f"far-{file.stem}" for file in files], [folder / f"near-{file.stem}" for file in files]
    with Pair(Plan(str(tmp_path_factory.mktemp("switched"))), run_keys) as switched, ExitStack() as running:

        def start(file: Path, results: Path, *more: str, through: tuple[str, ...] = ()) -> Program:
            return running.enter_context(Program("sweep", str(file), *more, results=results, through=through))

        command = (*_POWER_OFF, "--hosts", str(switched.hosts_file))
        off = running.enter_context(Program(*command, results=folder, through=switched.through))
        remote = [start(*each, *hosts, through=pair.through) for each in zip(files, far, strict=True)]
        local = [start(*each) for each in zip(files, near, strict=True)]
        ended = [program.wait(_WITHIN_S) for program in remote], [program.wait(_WITHIN_S) for program in local]
        yield Sweeps(*ended, _counting(far), _counting(near), off.wait(_WITHIN_S), switched)


def test_every_trial_over_ssh_is_measured_proved_and_as_predicted(sweeps: Sweeps) -> None:
    assert [(ended.code, ended.err) for ended in sweeps.far if ended.code] == []
    assert len(sweeps.far_records) == 38
    assert [r["why"] for r in sweeps.far_records.values() if not (r["agrees"] and r["proof"]["holds"])] == []


def test_the_answers_are_those_of_namespaces(sweeps: Sweeps) -> None:
    def answers(records: dict[str, dict[str, Any]]) -> dict[str, tuple[str, ...]]:
        return {cell: tuple(r["detection"][name] for name in ("verdict", "sign", "by")) for cell, r in records.items()}

    assert [ended.code for ended in sweeps.near] == [0, 0], sweeps.near
    assert answers(sweeps.far_records) == answers(sweeps.near_records)
    assert {verdict for verdict, *_ in answers(sweeps.far_records).values()} >= {"detected", "missed", "survived"}


def test_a_record_says_where_the_fault_was_put_and_how_well_the_clocks_are_known(sweeps: Sweeps) -> None:
    for record in sweeps.far_records.values():
        peer = "server" if record["survivor"] == "client" else "client"
        assert record["fault"]["where"] == ("nowhere" if record["experiment"] == "no-fault" else peer)
        lab = record["lab"]
        assert (lab["kind"], lab["back_end"], lab["clock"]["of"]) == ("ssh", "nft netdev", record["survivor"])
        assert 0 < lab["clock"]["error_s"] < 0.005
        assert {host["host_key"].split(":")[0] for host in lab["hosts"].values()} == {"ssh-ed25519 SHA256"}


def test_the_error_of_the_clocks_is_in_the_uncertainty_of_what_another_host_did(sweeps: Sweeps) -> None:
    cuts = [r for r in sweeps.far_records.values() if r["experiment"] == "cut-link"]
    # Both ends of the bracket are known to that error, as it was when the fault came.
    assert cuts and all(r["fault"]["uncertainty_s"] > 0.5 * r["lab"]["clock"]["error_s"] for r in cuts)


def test_nothing_is_left_on_the_hosts(sweeps: Sweeps, pair: Pair) -> None:
    for name in pair.hosts:
        assert pair.becomes_alone(name)
        assert (pair.tables(name), pair.files(name)) == ([], [])
        assert pair.qdiscs(name) == ["noqueue eth0", "noqueue eth1", "noqueue lo"]
        assert pair.inside(name, "cat", "/proc/sys/net/ipv4/tcp_retries2").stdout == "15\n"


def test_power_off_and_the_next_trial_with_the_machine_started_again(sweeps: Sweeps) -> None:
    assert sweeps.power_off.code == 0, sweeps.power_off.err
    assert len(sweeps.power_off.records) == 2
    for record in sweeps.power_off.records:
        assert record["detection"]["sign"] == "ETIMEDOUT" and record["detection"]["by"] == "keepalive"
        assert (record["fault"]["where"], record["proof"]["peer"]) == ("server", "powered off")
    assert sweeps.switched.becomes_alone("client") and sweeps.switched.becomes_alone("server")
