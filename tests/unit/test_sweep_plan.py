"""The order of a sweep, its shards, its plan on the disk, and what is left of it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from harness.engine import Job
from harness.errors import Refused
from harness.rooms import first_the_long, rooms
from harness.spec.settings import Asked
from harness.spec.trial import Trial
from harness.sweep import plan
from harness.sweep.plan import Shard, Sweep
from harness.sweep.resume import Brief, briefs, left, which


def _trials(count: int) -> list[Trial]:
    return [Trial(fault="cut-link", asked=Asked(idle_s=1 + n % 7), number=n) for n in range(count)]


@given(some.integers(0, 200), some.integers(0, 2**63 - 1), some.integers(1, 9))
def test_shards_are_disjoint_and_complete_and_the_same_every_time(count: int, seed: int, of: int) -> None:
    trials = _trials(count)
    parts = [plan.order(trials, seed, Shard(part, of)) for part in range(1, of + 1)]
    numbers = [trial.number for part in parts for trial in part]
    assert sorted(numbers) == list(range(count))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    assert parts == [plan.order(trials, seed, Shard(part, of)) for part in range(1, of + 1)]


def test_the_seed_decides_the_order() -> None:
    trials = _trials(50)
    assert plan.order(trials, 1) != plan.order(trials, 2) and plan.order(trials, 1) != trials


@pytest.mark.parametrize("text", ["", "0/4", "5/4", "1/0", "a/b", "1", "1/2/3", "-1/4"])
def test_a_shard_that_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(Refused, match=r"--shard: .* is refused"):
        plan.shard(text)


def test_a_plan_is_read_as_it_was_written(tmp_path: Path) -> None:
    sweep = Sweep(name="x", seed=5, shard=Shard(2, 4), source="fault = 1", lateness_s=0.1, again=7)
    trials = [*_trials(3), Trial(fault="cut-link", options={"where": "own-link", "direction": "both"}, number=3)]
    plan.write(tmp_path, sweep, trials)
    assert plan.read(tmp_path) == (sweep, trials)
    assert plan.is_sweep(tmp_path) and sorted(p.name for p in tmp_path.iterdir()) == ["plan.jsonl", "sweep.json"]


def test_a_run_without_a_plan_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="this run is no sweep"):
        plan.read(tmp_path)
    with pytest.raises(Refused, match="there is no sweep in"):
        which(None, tmp_path)
    (tmp_path / "sweep.json").write_text("{}")
    with pytest.raises(Refused, match="its plan cannot be read"):
        plan.read(tmp_path)


def test_what_has_a_record_that_counts_is_done() -> None:
    kept = [Brief(0), Brief(1, 0, "late"), Brief(2, 0, "late"), Brief(2, 1), Brief(3, 2, "late")]
    assert left(_trials(5), kept, again=2) == [Job(_trials(5)[1], 1), Job(_trials(5)[4], 0)]


@given(some.integers(1, 40), some.sets(some.integers(0, 39)), some.integers(0, 3))
def test_kept_and_left_are_the_whole_plan_once(count: int, done: set[int], again: int) -> None:
    trials = plan.order(_trials(count), 3)
    kept = [Brief(number) for number in done if number < count]
    rest = [job.trial.number for job in left(trials, kept, again)]
    assert sorted([*rest, *(brief.trial for brief in kept)]) == list(range(count))
    assert rest == [trial.number for trial in trials if trial.number in set(rest)]


def test_a_record_that_was_cut_short_is_none(tmp_path: Path) -> None:
    (tmp_path / "records.jsonl").write_bytes(b'{"trial":0,"attempt":0,"flagged":null}\n{"trial":1,"att')
    assert briefs(tmp_path) == [Brief(0)]


def test_trials_share_a_lab_unless_their_faults_need_one_alone() -> None:
    shared = [Trial(fault="cut-link", number=n) for n in range(3)]
    retries = [Trial(fault="cut-link", asked=Asked(retries2=3), number=n) for n in (3, 4)]
    nat = [Trial(fault="expire-nat", options={"nat-timeout": t}, number=n) for n, t in ((5, 2), (6, 2), (7, 3))]
    alone = [Trial(fault="cut-link", options={"where": "own-link"}, number=n) for n in (8, 9)]
    found = rooms([*shared, *retries, *nat, *alone])
    assert [[t.number for t in room] for room in found] == [[0, 1, 2], [3, 4], [5, 6], [7], [8], [9]]


@given(some.lists(some.floats(0, 100), max_size=30), some.floats(0, 1))
def test_the_long_go_first_and_the_rest_keep_their_order(lasts: list[float], each_s: float) -> None:
    items = list(range(len(lasts)))
    ordered = first_the_long(lasts, items, each_s)
    assert sorted(ordered) == items
    front = [i for i in items if max(lasts) - lasts[i] < each_s * len(items)]
    assert ordered == front + [i for i in items if i not in front]
