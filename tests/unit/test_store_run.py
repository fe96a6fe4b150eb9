"""A run that is gone on with, that never began, that somebody else writes."""

import json

import msgspec
import pytest
from examples import record
from stored import stored

from harness.errors import Refused, Unavailable
from harness.observe.packets import Packet
from harness.store import lock
from harness.store.lock import is_running
from harness.store.run import Run, records

PACKET = Packet(1.5, "r-client", False, 4, "198.18.0.2", "198.19.0.2", 5, 6, seq=0, ack=7, flags="PA")


def test_a_run_is_running_while_its_writer_has_it_and_no_longer(tmp_path):
    with Run.create(tmp_path, "no-fault") as run:
        assert is_running(run.folder)
    assert not is_running(run.folder)


def test_looking_whether_a_run_is_running_leaves_it_free(tmp_path):
    folder = stored(tmp_path)
    assert not is_running(folder)
    with Run.reopen(folder):
        pass


def test_a_run_that_another_writes_is_not_reopened(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "_LOOKING_S", 0.0)
    monkeypatch.setattr(lock.take, "__defaults__", (0.0,))
    with Run.create(tmp_path, "no-fault") as run:
        run.keep(record())
        with pytest.raises(Refused, match="is being written by another run"):
            Run.reopen(run.folder)
        run.keep(record(trial=1))
    assert len(records(run.folder)) == 2


def test_what_is_kept_after_reopening_comes_after_what_was_there(tmp_path):
    folder = stored(tmp_path, records=[record(trial=0)])
    with Run.reopen(folder) as run:
        run.keep(record(trial=1))
    assert [each.trial for each in records(folder)] == [0, 1]


@pytest.mark.parametrize("cut", [1, 2, 30, 700])
@pytest.mark.parametrize("file", ["records.jsonl", "events.jsonl"])
def test_reopening_leaves_whole_lines_only_whatever_a_kill_left(tmp_path, cut, file):
    folder = stored(tmp_path, records=[record(trial=0), record(trial=1)])
    path = folder / file
    if file == "events.jsonl":
        path.write_text('{"event":"trial","text":"' + "x" * 800 + '"}\n' * 1)
        path.write_bytes(path.read_bytes() * 2)
    path.write_bytes(path.read_bytes()[:-cut])
    with Run.reopen(folder) as run:
        run.keep(record(trial=2))
        run.note("done", {})
    lines = path.read_bytes().split(b"\n")
    assert lines.pop() == b""
    assert all(json.loads(line) for line in lines)
    # With only its line end missing, a line is whole.
    assert len(lines) == (3 if cut == 1 else 2)


def test_a_last_line_longer_than_what_is_read_at_a_time_is_dropped_whole(tmp_path):
    folder = stored(tmp_path)
    with (folder / "records.jsonl").open("ab") as file:
        file.write(b'{"experiment":"' + b"x" * 200_000)
    with Run.reopen(folder):
        pass
    assert (folder / "records.jsonl").read_bytes().endswith(b"}\n") and len(records(folder)) == 1


def test_a_folder_without_records_is_not_reopened(tmp_path):
    with pytest.raises(Refused, match="is no run"):
        Run.reopen(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [Unavailable("no namespaces"), KeyboardInterrupt(), ValueError()])
def test_a_run_that_could_not_start_leaves_no_folder(tmp_path, error):
    with pytest.raises(type(error)), Run.create(tmp_path, "no-fault") as run:
        run.describe({"hz": 250})
        (run.folder / "packets.pcapng").touch()
        raise error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kept", ["record", "event", "file"])
def test_a_run_that_fails_after_something_was_kept_stays(tmp_path, kept):
    with pytest.raises(Unavailable), Run.create(tmp_path, "no-fault") as run:
        if kept == "record":
            run.keep(record())
        elif kept == "event":
            run.note("trial", {"number": 0})
        else:
            (run.folder / "notes.txt").write_text("mine")
        raise Unavailable("the host went away")
    assert run.folder.is_dir() and (kept != "file" or (run.folder / "notes.txt").read_text() == "mine")


def test_a_run_that_was_reopened_stays_whatever_happens(tmp_path):
    folder = stored(tmp_path, records=[])
    with pytest.raises(Unavailable), Run.reopen(folder):
        raise Unavailable("no namespaces")
    assert folder.is_dir()


def test_of_a_packet_only_what_says_something_is_kept_and_it_can_be_read_back(tmp_path):
    with Run.create(tmp_path, "no-fault") as run:
        run.note("packet", {"packet": PACKET, "at": 1.6})
    found = json.loads((run.folder / "events.jsonl").read_text())
    assert "icmp" not in found["packet"] and "window" not in found["packet"] and found["packet"]["seq"] == 0
    assert msgspec.convert(found["packet"], Packet) == PACKET


def test_a_line_for_which_the_disk_has_no_room_is_taken_back(tmp_path, monkeypatch):
    import errno
    import os

    with Run.create(tmp_path, "no-fault") as run:
        run.keep(record(trial=0))
        write, calls = os.write, []

        def short(descriptor, data):
            calls.append(data)
            if len(calls) > 1:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return write(descriptor, data[:50])

        monkeypatch.setattr(os, "write", short)
        with pytest.raises(Unavailable, match="No space left"):
            run.keep(record(trial=1))
        monkeypatch.undo()
        run.keep(record(trial=2))
    assert [each["trial"] for each in map(json.loads, (run.folder / "records.jsonl").read_text().splitlines())] == [
        0,
        2,
    ]
