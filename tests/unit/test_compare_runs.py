"""The command over two runs' folders: what it prints, and how it ends."""

import io
import json

import msgspec
import pytest
from nights import drawn, planted, trial
from rich.console import Console

from harness.commands import nights
from harness.compare.compare import compare
from harness.compare.machine import class_of, differences, said
from harness.report.compare import show

MACHINE = {"kernel": "6.18.44", "machine": "x86_64", "hz": 250, "clocksource": "tsc", "cpus": 2, "python": "3.11.7"}


def keep(results, name, records, machine=MACHINE):
    folder = results / name
    folder.mkdir(parents=True)
    (folder / "records.jsonl").write_bytes(b"".join(msgspec.json.encode(record) + b"\n" for record in records))
    if machine:
        (folder / "machine.json").write_text(json.dumps(machine))
    return folder


def run(capsys, folder, *words, **typed):
    code = nights.compare(*words, {"json": False, **typed}, folder)
    printed = capsys.readouterr()
    return code, " ".join(printed.out.split()), printed.err


@pytest.fixture
def results(tmp_path):
    keep(tmp_path, "2026-01-01T000000Z-sweep", drawn(1))
    keep(tmp_path, "2026-01-02T000000Z-sweep", drawn(2))
    keep(tmp_path, "2026-01-03T000000Z-sweep", planted(drawn(3), "cell 7"))
    return tmp_path


def test_an_unchanged_run_ends_with_0(capsys, results):
    code, out, _ = run(capsys, results, "latest~2", "latest~1")
    assert code == 0
    assert out.startswith("200 cells compared: 0 regressions, 0 improvements")
    assert "Linux 6.18, x86_64, HZ=250, clock tsc, 2 CPUs" in out
    assert "more than 4 % of the time" in out


def test_a_regression_ends_with_3_and_is_explained(capsys, results):
    code, out, _ = run(capsys, results, "latest~1", "latest")
    assert code == 3
    assert out.startswith("200 cells compared: 1 regression, 0 improvements")
    assert "slower" in out and "cell 7" in out and "ms later (+" in out


def test_an_improvement_ends_with_0(capsys, results):
    code, out, _ = run(capsys, results, "latest", "latest~1")
    assert code == 0 and "0 regressions, 1 improvement" in out


def test_the_threshold_is_percent(capsys, results):
    assert run(capsys, results, "latest~1", "latest", threshold="6%")[0] == 0
    code, _, err = run(capsys, results, "latest~1", "latest", threshold="none")
    assert code == 2 and err.count("\n") == 1 and "--threshold" in err


def test_json_is_one_object(capsys, results):
    code, out, _ = run(capsys, results, "latest~1", "latest", json=True)
    said = json.loads(out)
    assert code == 3 and said["cells"] == 200
    assert [(c["cell"], c["kind"], c["effect"]) for c in said["changes"]] == [("cell 7", "slower", "regression")]


@pytest.mark.parametrize(
    ("words", "typed", "clue"),
    [
        (("latest~9", "latest"), {}, "latest~9"),
        (("nowhere", "latest"), {}, "'nowhere' is no run"),
        (("2026-01-01T000000Z-sweep", "other"), {}, "records of another kind"),
        (("2026-01-01T000000Z-sweep", "none"), {}, "no record"),
        (("latest", "latest"), {"results": " "}, "--results"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_one_line(capsys, results, words, typed, clue):
    (keep(results, "other", []) / "records.jsonl").write_text('{"check": "peek"}\n')
    keep(results, "none", [])
    code, out, err = run(capsys, results, *words, **typed)
    assert (code, out, err.count("\n")) == (2, "", 1) and clue in err


def test_a_folder_may_be_given_by_its_path(capsys, results, tmp_path):
    first, second = (str(tmp_path / f"2026-01-0{day}T000000Z-sweep") for day in (1, 2))
    assert run(capsys, tmp_path / "elsewhere", first, second)[0] == 0


def test_runs_without_machine_json_are_compared_all_the_same(capsys, tmp_path):
    keep(tmp_path, "a", drawn(1), machine=None)
    keep(tmp_path, "b", drawn(2), machine=None)
    assert run(capsys, tmp_path, "a", "b")[0] == 0


def test_other_machines_are_said(capsys, results):
    keep(results, "other", drawn(4), {**MACHINE, "hz": 1000, "kernel": "6.19.1"})
    _, out, _ = run(capsys, results, "2026-01-03T000000Z-sweep", "other")
    assert "differs: hz: 1000, before 250" in out and "differs: kernel: 6.19.1, before 6.18.44" in out


def test_a_class_is_of_the_minor_version():
    assert class_of(MACHINE) == class_of({**MACHINE, "kernel": "6.18.45", "python": "3.12"})
    assert class_of(MACHINE) != class_of({**MACHINE, "kernel": "6.19.1"})
    assert class_of(MACHINE) != class_of({**MACHINE, "cpus": 4})
    assert said(class_of({})) == "unknown"


def test_sysctls_of_the_lab_are_told_apart():
    one, other = ({**MACHINE, "lab_sysctls": {"net.ipv4.tcp_retries2": n, "net.ipv4.tcp_sack": "1"}} for n in "98")
    assert differences(one, other) == ["net.ipv4.tcp_retries2: 8, before 9"]


def test_what_could_not_be_judged_fully_is_said():
    out = io.StringIO()
    before = [trial("a"), trial("gone"), trial("b", 3.0)]
    after = [trial("a", flagged="41 ms late"), trial("new"), trial("b", 4.0)]
    show(compare(before, after), Console(file=out, width=200))
    text = out.getvalue()
    assert "1 cell took another time as predicted" in text
    assert "1 cell only in the later run: new" in text and "1 cell only in the earlier run: gone" in text
    assert (
        "1 cell with trials that came too late to count: a" in text and "1 cell without a trial that counts: a" in text
    )


def test_a_cells_text_is_no_markup():
    out = io.StringIO()
    show(compare([trial("[bold]a[/]")], [trial("[bold]a[/]", agrees=False)]), Console(file=out, width=200))
    assert "[bold]a[/]" in out.getvalue()


def test_hundreds_of_changes_are_cut_short_and_counted():
    out = io.StringIO()
    before, after = drawn(1, cells=60), [trial(r.cell, agrees=False) for r in drawn(2, cells=60)]
    show(compare(before, after), Console(file=out, width=200))
    assert "20 more; --json has them all" in out.getvalue()
