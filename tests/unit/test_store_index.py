import os
import shutil
import sqlite3
import threading

import pytest
from examples import detection, record
from stored import stored, trial

from harness.store import index as module
from harness.store.flat import COLUMNS
from harness.store.index import NAME, VERSION, Index
from harness.store.run import Run
from harness.store.summary import Summary

NAMES = ["2026-01-02T030405Z-cut-link", "2026-01-02T030406Z-crash-client"]


@pytest.fixture
def results(tmp_path):
    for name in NAMES:
        stored(tmp_path, name, [trial(0), trial(1)])
    return tmp_path


def look(results, **how):
    with Index(results, **how) as index:
        return index.runs(), index.read_again, index.in_memory


def test_the_first_look_reads_every_run_and_the_second_none(results):
    found, read, in_memory = look(results)
    assert [each.name for each in found] == read == NAMES and not in_memory
    assert look(results) == (found, [], False)


def test_a_run_in_one_line(tmp_path):
    never = detection(verdict="missed", sign="none", by="none", after_s=None)
    folder = stored(
        tmp_path,
        records=[trial(0, agrees=False), trial(1), record(trial=2, cell="b", detection=never)],
    )
    with (folder / "records.jsonl").open("ab") as file:
        file.write(b'{"experiment":"stale-pool"}\n{"exper')
    ((line,), _, _) = look(tmp_path)
    assert line == Summary(
        name=folder.name,
        started="2026-01-02T03:04:05Z",
        what="crash-client",
        experiments="crash-client stale-pool",
        cells=2,
        trials=3,
        flagged=0,
        detected=2,
        missed=1,
        mistaken=0,
        survived=0,
        unknown=0,
        agree=2,
        disagree=1,
        unproved=0,
        others=1,
        unreadable=1,
    )


def test_only_what_has_changed_is_read_again(results):
    look(results)
    with Run.reopen(results / NAMES[0]) as run:
        run.keep(trial(2))
    found, read, _ = look(results)
    assert read == [NAMES[0]] and [each.trials for each in found] == [3, 2]


def test_a_run_that_is_gone_is_forgotten_and_a_new_one_found(results):
    look(results)
    shutil.rmtree(results / NAMES[0])
    stored(results, "2026-01-09T000000Z-no-fault")
    found, read, _ = look(results)
    assert [each.name for each in found] == [NAMES[1], "2026-01-09T000000Z-no-fault"] and read == [found[1].name]
    with Index(results) as index:
        assert index.query("SELECT count(*) FROM trials") == [(3,)]


@pytest.mark.parametrize("damage", ["garbage", "empty", "half", "table", "column"])
def test_a_damaged_index_is_made_anew(results, damage):
    before, _, _ = look(results)
    path = results / NAME
    if damage in ("table", "column"):
        with sqlite3.connect(path) as base:
            base.execute("DROP TABLE runs")
            if damage == "column":
                base.execute("CREATE TABLE runs (name TEXT, size INTEGER, changed INTEGER)")
        base.close()
    else:
        data = path.read_bytes()
        path.write_bytes({"garbage": b"no database" * 1000, "empty": b"", "half": data[: len(data) // 2]}[damage])
    assert look(results) == (before, NAMES, False)
    assert look(results) == (before, [], False)


def test_an_index_of_another_version_is_made_anew(results, monkeypatch):
    before, _, _ = look(results)
    monkeypatch.setattr(module, "VERSION", VERSION + 1)
    assert look(results) == (before, NAMES, False)
    monkeypatch.undo()
    assert look(results) == (before, NAMES, False)  # and so it is by the older program, afterwards


def test_rebuilding_reads_every_run(results):
    before, _, _ = look(results)
    assert look(results, rebuild=True) == (before, NAMES, False)


def test_where_no_file_can_be_the_index_is_in_memory(results):
    (results / NAME).mkdir()
    found, read, in_memory = look(results)
    assert [each.name for each in found] == read == NAMES and in_memory
    assert (results / NAME).is_dir()


def test_in_a_folder_that_may_only_be_read_what_the_file_knows_is_not_read_again(results, monkeypatch):
    look(results)
    before = (results / NAME).read_bytes()
    with Run.reopen(results / NAMES[1]) as run:
        run.keep(trial(2))
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    found, read, in_memory = look(results)
    assert read == [NAMES[1]] and in_memory and [each.trials for each in found] == [2, 3]
    assert (results / NAME).read_bytes() == before


def test_where_there_is_no_results_folder_there_are_no_runs_and_none_is_made(tmp_path):
    assert look(tmp_path / "nowhere") == ([], [], True)
    assert not (tmp_path / "nowhere").exists()


def test_many_at_once_all_see_the_same(results):
    seen, errors = [], []

    def one(rebuild):
        try:
            for _ in range(5):
                seen.append([each.trials for each in look(results, rebuild=rebuild)[0]])
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=one, args=(number % 2 == 0,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors and seen == [[2, 2]] * 20


def test_an_index_that_another_program_holds_is_left_alone(results, monkeypatch):
    monkeypatch.setattr(module, "_BUSY_S", 0.01)
    look(results)
    other = sqlite3.connect(results / NAME)
    other.execute("BEGIN EXCLUSIVE")
    stored(results, "2026-01-09T000000Z-no-fault")
    found, _, in_memory = look(results)
    assert len(found) == 3 and in_memory
    other.rollback()
    other.close()
    assert look(results)[1:] == (["2026-01-09T000000Z-no-fault"], False)


def test_questions_over_all_runs_can_be_put_to_the_trials(results):
    with Index(results) as index:
        rows = index.query(
            "SELECT run, count(*), avg(after_s) FROM trials WHERE counts AND idle_s = ? GROUP BY run ORDER BY run", 2
        )
    assert rows == [(name, 2, pytest.approx(4.8)) for name in NAMES]


def test_other_columns_mean_another_version():
    """Whoever changes the tables raises VERSION, and then these numbers."""
    assert (VERSION, len(COLUMNS), len(Summary.__struct_fields__)) == (1, 58, 17)
