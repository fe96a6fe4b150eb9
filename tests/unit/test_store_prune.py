from datetime import UTC, datetime, timedelta

import pytest
from stored import stored

from harness.store import lock
from harness.store.pin import is_pinned, pin, unpin
from harness.store.prune import Rule, prune
from harness.store.run import Run

DAY_S = 86_400.0


def aged(results, days, what="cut-link"):
    """Make a run that began so many days ago."""
    began = datetime.now(UTC) - timedelta(days=days)
    return stored(results, f"{began.strftime('%Y-%m-%dT%H%M%SZ')}-{what}")


@pytest.fixture
def results(tmp_path):
    return tmp_path / "results"


@pytest.fixture
def four(results):
    """Four runs, the oldest first."""
    return [aged(results, days) for days in (40, 30.5, 29.5, 1)]


def left(results):
    return {each.name for each in results.iterdir()}


@pytest.mark.parametrize(("keep", "gone"), [(0, 4), (1, 3), (4, 0), (9, 0)])
def test_the_newest_stay(results, four, keep, gone):
    done = prune(results, Rule(keep=keep))
    assert list(done.gone) == [each.name for each in four[:gone]]
    assert left(results) == {each.name for each in four[gone:]}
    assert all(size > 0 for size in done.gone.values())


def test_only_what_is_older_goes(results, four):
    assert list(prune(results, Rule(older_than_s=30 * DAY_S)).gone) == [each.name for each in four[:2]]


def test_only_what_is_larger_goes(results, four):
    (four[3] / "packets.pcapng").write_bytes(b"x" * 300_000)
    assert list(prune(results, Rule(larger_than=200_000)).gone) == [four[3].name]


def test_of_several_conditions_all_must_apply(results, four):
    assert list(prune(results, Rule(keep=3, older_than_s=30 * DAY_S)).gone) == [four[0].name]


def test_a_dry_run_says_the_same_and_deletes_nothing(results, four):
    dry = prune(results, Rule(keep=1), dry_run=True)
    assert left(results) == {each.name for each in four}
    assert prune(results, Rule(keep=1)) == dry


@pytest.mark.parametrize("dry", [True, False])
def test_what_is_pinned_stays_until_it_is_unpinned(results, four, dry):
    pin(four[0])
    assert is_pinned(four[0])
    done = prune(results, Rule(keep=0), dry)
    assert done.pinned == [four[0].name] and four[0].name not in done.gone and four[0].is_dir()
    unpin(four[0])
    assert list(prune(results, Rule(older_than_s=35 * DAY_S)).gone) == [four[0].name]


@pytest.mark.parametrize("dry", [True, False])
def test_what_is_running_stays(results, four, dry, monkeypatch):
    monkeypatch.setattr(lock.take, "__defaults__", (0.0,))
    with Run.reopen(four[1]):
        done = prune(results, Rule(keep=0), dry)
    assert done.running == [four[1].name] and four[1].is_dir() and len(done.gone) == 3


def test_what_is_no_run_or_has_a_name_of_its_own_stays(results, four):
    (results / "README.md").write_text("")
    (results / "2026-01-02T030405Z-notes").mkdir()
    (results / "2026-01-02T030405Z-notes" / "text").write_text("mine")
    stored(results, "baseline")
    prune(results, Rule(keep=0))
    assert left(results) == {"README.md", "2026-01-02T030405Z-notes", "baseline"}


def test_no_link_is_followed_neither_to_a_run_nor_out_of_one(results, four, tmp_path):
    elsewhere = stored(tmp_path / "elsewhere")
    (results / "2020-01-02T030405Z-link").symlink_to(elsewhere)
    (four[0] / "link").symlink_to(elsewhere)
    (four[0] / "file").symlink_to(elsewhere / "records.jsonl")
    hidden = results / ".pruned-2020-01-02T030405Z-link"
    hidden.symlink_to(elsewhere)
    prune(results, Rule(keep=0))
    assert (elsewhere / "records.jsonl").read_bytes()
    assert left(results) == {"2020-01-02T030405Z-link", hidden.name}


def test_a_run_whose_records_are_a_link_is_none(results, four, tmp_path):
    target = tmp_path / "target"
    target.write_bytes(b"")
    (four[0] / "records.jsonl").unlink()
    (four[0] / "records.jsonl").symlink_to(target)
    assert four[0].name not in prune(results, Rule(keep=0)).gone and four[0].is_dir()


def test_what_a_killed_pruning_left_is_deleted_by_the_next(results, four):
    rest = results / f".pruned-{four[0].name}"
    four[0].rename(rest)
    (rest / "records.jsonl").unlink()
    assert prune(results, Rule(keep=9)).gone == {} and not rest.exists()


def test_where_there_are_no_runs_nothing_goes(results):
    assert prune(results, Rule(keep=0)).gone == {}
