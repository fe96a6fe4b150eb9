"""Real runs, listed, shown, exported and pruned by whole commands: while they run, after a kill, and afterwards."""

import csv
import io
import sys
from pathlib import Path

import pytest

from tests.lab.program import Program, run

_SHORT = ("crash-client", "--keepalive", "1", "--interval", "1", "--probes", "1")
_LONG = ("crash-client", "--keepalive", "60")


def test_a_run_is_listed_shown_and_exported_as_it_was_measured(tmp_path: Path) -> None:
    measured = run(*_SHORT, "--repeat", "2", "--json", results=tmp_path)
    assert measured.code == 0, measured.err
    (listed,) = run("runs", "--json", results=tmp_path).records
    assert (listed["what"], listed["trials"], listed["detected"], listed["agree"]) == ("crash-client", 2, 2, 2)
    assert listed["bytes"] >= sum(file.stat().st_size for file in (tmp_path / listed["name"]).iterdir())
    (shown,) = run("show", "latest", "--json", results=tmp_path).records
    after = [record["detection"]["after_s"] for record in measured.records]
    assert [cell["after_s"] for cell in shown["cells"]] == [after] and shown["machine"]["hz"]
    table = list(csv.DictReader(io.StringIO(run("export", listed["name"], results=tmp_path).out)))
    assert [float(row["after_s"]) for row in table] == after
    assert [row["kernel"] for row in table] == [record["lab"]["kernel"] for record in measured.records]


@pytest.mark.slow
def test_what_runs_is_said_to_run_and_not_pruned_and_a_kill_loses_nothing(tmp_path: Path) -> None:
    with Program(*_LONG, results=tmp_path) as program:
        program.await_event("fault")
        assert run(*_SHORT, results=tmp_path).code == 0
        before = run("runs", "--json", results=tmp_path).records
        assert [each["running"] for each in before] == [True, False]
        assert "1 running stay" in run("prune", "--keep", "0", "--dry-run", results=tmp_path).out
        program.kill()
        assert program.leaves_nothing()
    after = run("runs", "--json", results=tmp_path).records
    assert [each["running"] for each in after] == [False, False] and [each["trials"] for each in after] == [0, 1]
    assert run("pin", after[1]["name"], results=tmp_path).code == 0
    pruned = run("prune", "--keep", "0", results=tmp_path)
    assert "1 run deleted" in pruned.out and "1 pinned stay" in pruned.out
    assert [each["name"] for each in run("runs", "--json", results=tmp_path).records] == [after[1]["name"]]


@pytest.mark.slow
def test_results_that_may_only_be_read_are_listed_and_left_as_they_are(tmp_path: Path) -> None:
    assert run(*_SHORT, results=tmp_path).code == 0
    script = 'mount --bind "$R" "$R" && mount -o remount,bind,ro "$R" && exec "$@"'
    through = ("unshare", "--user", "--map-root-user", "--mount", "env", f"R={tmp_path}", "sh", "-c", script, "sh")
    listed = run("runs", "--json", results=tmp_path, through=(*through, sys.executable))
    assert listed.code == 0, listed.err
    assert [each["detected"] for each in listed.records] == [1]
    assert [each.name for each in tmp_path.iterdir()] == [listed.records[0]["name"]]
