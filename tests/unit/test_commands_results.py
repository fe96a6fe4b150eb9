"""invoke runs, show, export, pin, prune: from what is typed to what is printed and the exit code."""

import json

import pytest
from examples import detection, proof, record
from stored import stored, trial

from harness.commands import results as commands
from harness.store.pin import is_pinned

NAME = "2026-01-02T030405Z-crash-client"
NO_FLAGS = {"rebuild": False, "json": False, "attempts": False, "unpin": False, "dry_run": False}


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")


@pytest.fixture
def results(tmp_path):
    where = tmp_path / "results"
    odd = record(trial=1, cell="crash-client keepalive=3", agrees=False, why="The router was busy.")
    stored(where, NAME, [trial(0), odd, trial(2, proof=proof(holds=False, missing="2 segments got through"))])
    return where


def do(action, *words, results, capfd, typed=None, **more):
    """Return exit code, standard output and standard error of a command."""
    code = action(*words, NO_FLAGS | (typed or {}) | more, results)
    return code, *capfd.readouterr()


def test_runs_are_listed_within_80_columns(results, capfd):
    stored(
        results,
        "2026-01-02T030406Z-cut-link",
        [record(trial=n, detection=detection(verdict="missed")) for n in range(9)],
    )
    code, out, err = do(commands.runs, results=results, capfd=capfd)
    assert code == 0 and err == ""
    assert all(len(line.rstrip()) <= 80 for line in out.splitlines())
    (line,) = [line for line in out.splitlines() if NAME in line]
    assert "3 detected" in line and "1 NO" in line
    assert "1 not proved" in out and "9 missed" in out and "2 runs, 12 trials" in out


def test_runs_as_json_are_one_object_a_line(results, capfd):
    code, out, _ = do(commands.runs, results=results, capfd=capfd, json=True)
    (found,) = map(json.loads, out.splitlines())
    assert code == 0 and (found["name"], found["trials"], found["disagree"], found["unproved"]) == (NAME, 3, 1, 1)
    assert found["bytes"] > 0 and not found["pinned"] and not found["running"]


def test_where_nothing_was_run_the_list_says_so(tmp_path, capfd):
    assert do(commands.runs, results=tmp_path / "nowhere", capfd=capfd) == (0, "no runs yet\n", "")


def test_a_run_is_shown_with_its_cells_and_what_was_not_as_it_should_be(results, capfd):
    code, out, err = do(commands.show, "latest", results=results, capfd=capfd)
    assert code == 0 and err == ""
    assert "keepalive 2" in out and "keepalive 3" in out and "4.795 s" in out
    assert "trial 1, not as predicted" in out and "The router was busy." in out
    assert "trial 2, not proved" in out and "2 segments got through" in out
    assert "trial 0," not in out


def test_what_is_written_in_a_record_is_not_taken_for_markup(tmp_path, capfd):
    stored(tmp_path, records=[trial(0, cell="x note=[/bold][red]", agrees=False, why="[/nothing] [bold]")])
    for typed in ({}, {"trial": "0"}):
        code, out, _ = do(commands.show, "latest", results=tmp_path, capfd=capfd, **typed)
        assert code == 0 and "[/nothing] [bold]" in out


def test_a_run_as_json_is_one_object(results, capfd):
    _, out, _ = do(commands.show, NAME, results=results, capfd=capfd, json=True)
    found = json.loads(out)
    assert [cell["cell"] for cell in found["cells"]] == ["crash-client keepalive=2", "crash-client keepalive=3"]
    assert [each["trial"] for each in found["disagreements"]] == [1, 2]


def test_one_trial_is_shown_whole_every_attempt_of_it(results, capfd):
    stored(
        results, "2026-01-03T000000Z-cut-link", [trial(7, flagged="40 ms late"), trial(7, attempt=1, why="So it was.")]
    )
    code, out, _ = do(commands.show, "latest", results=results, capfd=capfd, trial="7")
    assert code == 0 and "does not count: 40 ms late" in out and "attempt 1" in out and "So it was." in out
    _, out, _ = do(commands.show, "latest", results=results, capfd=capfd, trial="7", json=True)
    assert [json.loads(line)["attempt"] for line in out.splitlines()] == [0, 1]


def test_a_run_without_a_finished_trial_says_so(tmp_path, capfd):
    stored(tmp_path, records=[])
    code, out, _ = do(commands.show, "latest", results=tmp_path, capfd=capfd)
    assert code == 0 and "no trial was finished" in out


def test_a_run_of_another_kind_is_counted_and_shown_and_not_exported(tmp_path, capfd):
    folder = stored(tmp_path, records=[])
    (folder / "records.jsonl").write_text('{"experiment":"tea"}\n')
    assert "1 records of a kind that is not known" in do(commands.show, "latest", results=tmp_path, capfd=capfd)[1]
    assert "1 records" in do(commands.runs, results=tmp_path, capfd=capfd)[1]
    code, out, err = do(commands.export, "latest", results=tmp_path, capfd=capfd)
    assert code == 2 and out == "" and "has no trials" in err


def test_export_writes_to_standard_output_or_a_file(results, tmp_path, capfd):
    code, out, _ = do(commands.export, "latest", results=results, capfd=capfd)
    assert code == 0 and out.startswith("run,cell,") and out.count(NAME) == 3
    file = tmp_path / "trials.csv"
    assert do(commands.export, "latest", results=results, capfd=capfd, out=str(file)) == (0, "", "")
    assert file.read_text() == out and [each.name for each in tmp_path.iterdir() if each.is_file()] == ["trials.csv"]


def test_a_file_that_cannot_be_written_is_code_4_and_leaves_nothing(results, tmp_path, capfd):
    code, _, err = do(commands.export, "latest", results=results, capfd=capfd, out=str(tmp_path / "no" / "t.csv"))
    assert code == 4 and "cannot be written" in err and err.count("\n") == 1


def test_a_run_is_pinned_and_unpinned_and_prune_leaves_it(results, capfd):
    code, out, _ = do(commands.pin, "latest", results=results, capfd=capfd)
    assert code == 0 and "is pinned" in out and is_pinned(results / NAME)
    code, out, _ = do(commands.prune, results=results, capfd=capfd, keep="0")
    assert code == 0 and out == "0 runs deleted, 0 B freed; 1 pinned stay\n"
    do(commands.pin, "latest", results=results, capfd=capfd, unpin=True)
    code, out, _ = do(commands.prune, results=results, capfd=capfd, keep="0", dry_run=True)
    assert "1 run would be deleted" in out and (results / NAME).is_dir()
    code, out, _ = do(commands.prune, results=results, capfd=capfd, keep="0")
    assert code == 0 and out.splitlines()[0].startswith(NAME) and "1 run deleted" in out
    assert not (results / NAME).exists()


@pytest.mark.parametrize(
    ("action", "words", "typed", "says"),
    [
        ("prune", (), {}, "say which runs"),
        ("prune", (), {"keep": "-1"}, "--keep"),
        ("prune", (), {"older_than": "old"}, "--older-than: 'old' is not a duration"),
        ("prune", (), {"larger_than": "big"}, "--larger-than: 'big' is no size"),
        ("runs", (), {"results": ""}, "--results"),
        ("runs", (), {"results": "/nowhere/at/all"}, "is no folder"),
        ("show", ("nothing",), {}, "is no run"),
        ("show", ("latest",), {"trial": "9"}, "has no trial 9; its numbers are from 0 to 2"),
        ("show", ("latest",), {"trial": "x"}, "--trial"),
        ("export", ("latest",), {"format": "xml"}, "--format: 'xml' is unknown; allowed: csv, parquet, jsonl"),
        ("export", ("latest",), {"out": "/"}, "--out"),
        ("pin", ("nothing",), {}, "is no run"),
    ],
)
def test_what_is_refused_is_code_2_and_one_line(results, capfd, action, words, typed, says):
    code, out, err = do(getattr(commands, action), *words, results=results, capfd=capfd, typed=typed)
    assert code == 2 and out == "" and says in err and err.count("\n") == 1


def test_parquet_is_not_written_to_a_terminal(results, capfd, monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    code, _, err = do(commands.export, "latest", results=results, capfd=capfd, format="parquet")
    assert code == 2 and "name a file with --out" in err
