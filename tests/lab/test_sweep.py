"""``invoke sweep`` as a person runs it: all at once, in the lab, killed and gone on with, and refused."""

import random
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.lab.program import Ended, Program, eventually

_SHORT = ("--keepalive", "1", "--interval", "1", "--probes", "1")


def _records(folder: Path) -> list[dict[str, Any]]:
    """Every whole line; only the last may have been cut short."""
    *lines, last = (folder / "records.jsonl").read_bytes().split(b"\n")
    found = [msgspec.json.decode(line) for line in lines if line]
    assert last == b"" or not last.endswith(b"}")
    return found


def _sweep(*words: str, results: Path | None, within_s: float = 60) -> Ended:
    with Program("sweep", *words, results=results) as program:
        ended = program.wait(within_s)
        assert program.leaves_nothing(), program.left()
    return ended


def test_twelve_cells_together(tmp_path: Path) -> None:
    file = tmp_path / "twelve.toml"
    file.write_text(
        """
        seed = 5
        keepalive = 1
        interval = 1
        probes = [1, 2]
        [[sweep]]
        fault = ["crash-client", "cut-link", "freeze-server"]
        read-deadline = 2
        [[sweep]]
        fault = ["reboot-server", "cut-link"]
        ipv = [4, 6]
        exclude = [{ fault = "reboot-server", probes = 2 }]
        [[sweep]]
        fault = "cut-link"
        where = ["own-link"]
        probes = 1
        """
    )
    results = tmp_path / "results"
    ended = _sweep(str(file), "--json", results=results)
    assert ended.code == 0, ended.err
    (folder,) = results.iterdir()
    assert folder.name.endswith("-twelve")
    records = _records(folder)
    assert records == ended.records
    assert sorted(r["trial"] for r in records) == list(range(13))
    assert len({r["cell"] for r in records}) == 13
    assert all(r["agrees"] and r["proof"]["holds"] and r["flagged"] is None for r in records)
    # All at the same time: the longest lasts 3 s, and one after the other they would take ten times as long.
    assert ended.after_s < 15
    plan = [msgspec.json.decode(line)["number"] for line in (folder / "plan.jsonl").read_bytes().splitlines()]
    assert sorted(plan) == list(range(13))
    begun = [e for e in map(msgspec.json.decode, (folder / "events.jsonl").read_bytes().splitlines()) if "trial" in e]
    assert {e["trial"] for e in begun if e["event"] == "fault"} == set(range(13))
    assert "13 of 13 done" in ended.err and "13 trials of 13 cells in 2 labs, seed 5" in ended.err


def _killed_and_gone_on_with(cells: int, kills: int, seed: int, results: Path) -> None:
    draw = random.Random(seed)
    words = ("--fault", "cut-link,crash-client", *_SHORT, "--repeat", str(cells // 2))
    folder: Path | None = None
    for number in range(kills):
        with Program("sweep", *(("--resume",) if folder else words), results=results) as program:
            assert eventually(lambda: any(results.glob("*/sweep.json")) or not program.runs)
            folder = folder or next(results.iterdir())
            kept = len(_records(folder))
            # At any moment: while it starts, while it sets up, when all die at once, before it sums up.
            eventually(lambda: not program.runs, within_s=draw.uniform(0, 4), every_s=0.005)
            ended = program.kill() if program.runs else program.wait(1)
            assert "Traceback" not in ended.err, ended.err
        assert len(_records(folder)) >= kept, number
    assert folder is not None
    ended = _sweep("--resume", folder.name, results=results)
    assert ended.code == 0, ended.err
    records = [r for r in _records(folder) if r["flagged"] is None]
    assert Counter(r["trial"] for r in records) == Counter(range(cells))
    assert Counter(r["cell"].split()[0] for r in records) == {"cut-link": cells // 2, "crash-client": cells // 2}
    again = _sweep("--resume", folder.name, results=results)
    assert again.code == 0 and f"{cells} of {cells} trials are done" in again.err
    assert [path.name for path in results.glob("*/sweep.json")] == ["sweep.json"]


def test_killed_and_gone_on_with_every_cell_is_there_once(tmp_path: Path) -> None:
    _killed_and_gone_on_with(cells=24, kills=4, seed=2, results=tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_killed_twenty_times_every_cell_is_there_once(tmp_path: Path) -> None:
    _killed_and_gone_on_with(cells=200, kills=20, seed=3, results=tmp_path)


@pytest.mark.slow
def test_shards_make_up_the_sweep(tmp_path: Path) -> None:
    words = ("--fault", "cut-link", *_SHORT, "--ipv", "4,6", "--repeat", "3", "--seed", "4")
    numbers = []
    for part in ("1/2", "2/2"):
        ended = _sweep(*words, "--shard", part, "--json", results=tmp_path)
        assert ended.code == 0, ended.err
        numbers += [record["trial"] for record in ended.records]
    assert sorted(numbers) == list(range(6))


@pytest.mark.slow
def test_a_trial_beyond_its_lateness_budget_is_flagged_and_run_again(tmp_path: Path) -> None:
    """No program wakes within a budget this small every time: what is flagged stays, and is counted once."""
    ended = _sweep(
        "--fault", "cut-link", *_SHORT, "--repeat", "6", "--lateness", "1ms", "--again", "30", results=tmp_path
    )
    (folder,) = tmp_path.iterdir()
    records = _records(folder)
    late = [r for r in records if r["late_s"] > 0.001 or 2 * r["fault"]["uncertainty_s"] > 0.001]
    assert [r for r in records if r["flagged"] is not None] == late
    assert sorted(r["trial"] for r in records if r["flagged"] is None) == list(range(6))
    attempts = Counter(r["trial"] for r in records)
    assert all(r["attempt"] == attempts[r["trial"]] - 1 for r in records if r["flagged"] is None)
    assert ended.code == 0, ended.err


@pytest.mark.slow
def test_where_fewer_files_may_be_open_fewer_run_at_a_time(tmp_path: Path) -> None:
    limited = ("bash", "-c", 'ulimit -n 120; exec "$@"', "limited", sys.executable)
    words = ("sweep", "--fault", "cut-link", *_SHORT, "--repeat", "30", "--json")
    with Program(*words, results=tmp_path, through=limited) as program:
        ended = program.wait(60)
    assert ended.code == 0, ended.err
    assert "20 of 30 trials run at a time: a process may open no more files; ulimit -Hn raises that" in ended.err
    assert sorted(record["trial"] for record in ended.records) == list(range(30))


def test_a_dry_run_runs_nothing(tmp_path: Path) -> None:
    ended = _sweep(
        "--fault", "cut-link,expire-nat", "--keepalive", "5,10", "--nat-timeout", "20", "--dry-run", results=tmp_path
    )
    assert ended.code == 0 and not list(tmp_path.iterdir())
    first, *cells = ended.out.splitlines()
    assert first.startswith("sweep: 4 trials of 4 cells in 2 labs, seed 0; about ")
    assert "cut-link keepalive=5 traffic=idle survivor=client ipv=4" in [cell.strip() for cell in cells]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ((), "what is to be run? name a file, or values"),
        (("nowhere.toml",), "nowhere.toml: cannot be read"),
        (("--fault", "cut-link", "--keepalive", "5,,6"), "--keepalive: '5,,6' is refused"),
        (("--fault", "cut-link", "--interval", "1,5"), "nothing is left to run: 2 x --interval has no effect"),
        (("--fault", "cut-link", "--shard", "3/2"), "--shard: '3/2' is refused"),
        (("--fault", "cut-link", "--results="), "--results: an empty text names no folder"),
        (("--resume",), "--resume: there is no sweep in"),
        (("--resume", "--keepalive", "5"), "--keepalive: the run that is resumed has its plan"),
    ],
)
def test_what_is_refused_is_one_line(words: tuple[str, ...], line: str, tmp_path: Path) -> None:
    ended = _sweep(*words, results=None if "--results=" in words else tmp_path)
    assert ended.code == 2 and ended.out == "" and not list(tmp_path.iterdir())
    assert len(ended.err.splitlines()) == 1 and line in ended.err


def test_a_sweep_that_cannot_start_leaves_nothing(tmp_path: Path) -> None:
    """Without a namespace to be had no lab can be built: one line says so, and the plan goes with the folder."""
    limited = ("bash", "-c", 'sysctl -qw user.max_net_namespaces=0 && exec "$@"', "limited", sys.executable)
    inside = ("unshare", "--user", "--map-root-user", *limited)
    words = ("sweep", "--fault", "cut-link", *_SHORT)
    with Program(*words, results=tmp_path, through=inside) as program:
        ended = program.wait(30)
    assert ended.code == 4, ended.err
    assert not list(tmp_path.iterdir()) and ended.out == ""
