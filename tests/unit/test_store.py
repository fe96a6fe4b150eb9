import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from examples import record

from harness.errors import Unavailable
from harness.labs.protocols import Mark
from harness.store import run as store
from harness.store.run import Run, records


class Clock(datetime):
    """A second that does not end."""

    @classmethod
    def now(cls, tz=None):
        return datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def stopped(monkeypatch):
    monkeypatch.setattr(store, "datetime", Clock)


def test_a_run_is_a_folder_named_by_its_time_and_experiment(tmp_path, stopped):
    with Run.create(tmp_path / "deep" / "results", "no-fault") as run:
        assert run.folder == tmp_path / "deep" / "results" / "2026-01-02T030405Z-no-fault"
    assert {each.name for each in run.folder.iterdir()} == {"records.jsonl", "events.jsonl"}


def test_runs_of_the_same_second_get_names_of_their_own(tmp_path, stopped):
    names = []
    for _ in range(3):
        with Run.create(tmp_path, "no-fault") as run:
            names.append(run.folder.name.removeprefix("2026-01-02T030405Z-"))
    assert names == ["no-fault", "no-fault-2", "no-fault-3"]


def test_a_second_with_too_many_runs_is_said_to_be_full(tmp_path, stopped, monkeypatch):
    monkeypatch.setattr(store, "_SAME_SECOND", 3)
    for _ in range(2):
        Run.create(tmp_path, "no-fault").__exit__(None, None, None)
    with pytest.raises(Unavailable, match="runs of this very second"):
        Run.create(tmp_path, "no-fault")


def test_records_are_there_as_soon_as_they_are_kept_and_come_back_as_they_were(tmp_path):
    with Run.create(tmp_path, "crash-client") as run:
        for number in range(3):
            run.keep(record(trial=number))
            assert [each.trial for each in records(run.folder)] == list(range(number + 1))
    assert records(run.folder)[2] == record(trial=2)


def test_a_line_that_a_kill_cut_short_is_passed_over_and_the_others_stay(tmp_path):
    with Run.create(tmp_path, "crash-client") as run:
        run.keep(record(trial=0))
        run.keep(record(trial=1))
    path = run.folder / "records.jsonl"
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1
    for end in (len(whole) - 1, len(whole) - 2, first + 1, first, first - 2, 0):
        path.write_bytes(whole[:end])
        expected = 2 if end == len(whole) - 1 else 1 if end >= first else 0
        assert len(records(run.folder)) == expected


def test_each_record_is_one_line_of_json_with_the_schema(tmp_path):
    with Run.create(tmp_path, "crash-client") as run:
        run.keep(record())
    (line,) = (run.folder / "records.jsonl").read_text().splitlines()
    found = json.loads(line)
    assert found["schema"] == 1 and found["detection"]["after_s"] == 4.7951


def test_events_are_kept_but_segments_are_not(tmp_path):
    with Run.create(tmp_path, "crash-client") as run:
        run.note("fault", {"at": 1.0, "mark": Mark(before=1, after=2)})
        run.note("segment", {"at": 2.0, "segment": object()})
    (line,) = (run.folder / "events.jsonl").read_text().splitlines()
    assert json.loads(line) == {
        "event": "fault",
        "at": 1.0,
        "mark": {"before": 1, "after": 2, "where": "router", "peer": "cut off"},
    }


def test_what_the_machine_is_is_kept_beside_the_records(tmp_path):
    with Run.create(tmp_path, "crash-client") as run:
        run.describe({"hz": 250})
    assert json.loads((run.folder / "machine.json").read_text()) == {"hz": 250}


@pytest.mark.parametrize("where", ["file", "file/below"])
def test_a_folder_that_cannot_be_written_is_code_4_and_one_line(tmp_path, where):
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match=r"cannot be written .* name another with --results") as error:
        Run.create(tmp_path / where, "no-fault")
    assert error.value.exit_code == 4 and "\n" not in str(error.value)


def test_a_full_disk_is_code_4_too(tmp_path):
    for name in ("records.jsonl", "events.jsonl"):
        (tmp_path / name).symlink_to(Path("/dev/full"))  # every write to it fails with ENOSPC: full(4)
    with Run(tmp_path) as run:
        with pytest.raises(Unavailable, match="No space left on device"):
            run.keep(record())
        with pytest.raises(Unavailable, match="No space left on device"):
            run.note("fault", {})
        (tmp_path / "machine.json").symlink_to(Path("/dev/full"))
        with pytest.raises(Unavailable, match="No space left on device"):
            run.describe({})
