"""Markdown, JUnit, the files, and the command that writes them."""

from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest
from sweeps import EVIL, facts, late, never, record, sweep, write_run

from harness.commands.reports import OPTIONS, report
from harness.report import files
from harness.report.junit import junit
from harness.report.markdown import inline, markdown
from harness.report.plots import files as plots

NOTHING = {option.parameter: None for option in OPTIONS}


def rows(text):
    return [line for line in text.splitlines() if line.startswith("| ") and not line.startswith("| cell")]


def test_markdown_has_the_sentence_and_a_row_for_every_cell():
    found = facts(sweep())
    text = markdown(found)
    assert text.startswith("## 2026-11-21T030405Z-sweep: as predicted\n")
    assert "24 trials of 12 cells: 24 detected." in text
    assert len(rows(text)) == 12
    assert "| crash-client, keepalive 1 s, interval 1 s | detected | ETIMEDOUT by keepalive | 2 | 4.005 s |" in text


def test_markdown_puts_what_is_odd_first():
    text = markdown(facts([record(0, idle=1), late(1)]))
    assert "not all as it should be" in text
    assert "**Trial 1, not as predicted**" in text
    assert "**NO** (1)" in rows(text)[0]


def test_markdown_of_a_large_run_is_cut_short_and_says_so():
    text = markdown(facts(sweep(range(1, 31), range(1, 11), ("crash-client",), repeat=1)))
    assert len(rows(text)) == 200
    assert "100 more cells left out here" in text


def test_what_is_special_to_markdown_is_shown_as_it_is():
    assert inline("a|b <script> *x* [y](z)\n# `c`") == r"a\|b &lt;script&gt; \*x\* \[y\]\(z\) \# \`c\`"
    found = markdown(facts([late(0, why=EVIL, cell=f"crash-client where={EVIL}")]))
    assert "<script" not in found
    assert "<img" not in found


def test_junit_has_a_case_for_every_cell():
    root = Xml.fromstring(junit(facts(sweep())))
    assert (root.tag, root.attrib) == ("testsuites", {})
    (suite,) = root
    # Both schemas know all of these; Ant's asks for them.
    assert set(suite.attrib) == {
        *("name", "package", "id", "hostname", "timestamp", "tests", "failures", "errors", "skipped", "time"),
    }
    assert suite.attrib["timestamp"] == "2026-11-21T03:04:05"
    assert (suite.attrib["tests"], suite.attrib["failures"], suite.attrib["skipped"]) == ("12", "0", "0")
    cases = suite.findall("testcase")
    assert len(cases) == 12
    assert cases[0].attrib == {
        "classname": "halfopen.crash-client",
        "name": "crash-client keepalive=1 interval=1 probes=3 traffic=idle survivor=server ipv=4",
        "time": "4.005",
    }
    assert next(child.tag for child in suite) == "properties"
    assert [child.tag for child in suite][-2:] == ["system-out", "system-err"]


def test_a_cell_that_is_not_as_predicted_or_not_proved_fails_with_its_explanation():
    unproved = record(1, idle=7)
    unproved.proof.holds = False
    suite = Xml.fromstring(junit(facts([late(0), unproved, record(2, idle=9)])))[0]
    assert suite.attrib["failures"] == "2"
    failures = [case.find("failure") for case in suite.findall("testcase")]
    assert [None if each is None else each.attrib["type"] for each in failures] == [
        "not as predicted",
        "not proved",
        None,
    ]
    assert failures[0] is not None
    assert "Trial 0, not as predicted (+1250.00 ms): The prediction was 8 s: a finding." in (failures[0].text or "")


def test_a_cell_whose_trials_all_came_too_late_is_skipped():
    suite = Xml.fromstring(junit(facts([record(0, flagged="25 ms late"), never(1)])))[0]
    assert suite.attrib["skipped"] == "1"
    assert suite.attrib["failures"] == "0"


def test_junit_of_anything_is_well_formed():
    text = junit(facts([late(0, why=EVIL + "\x00\x1b[31m", cell=f"crash-client where={EVIL}")], name=EVIL))
    suite = Xml.fromstring(text)[0]
    assert "onerror" in suite.findall("testcase")[0].attrib["name"]
    assert "\x1b" not in text


def test_all_formats_are_written(tmp_path):
    found = facts(sweep())
    written = [path.relative_to(tmp_path).as_posix() for path in files.write(found, ("html", "svg", "md"), tmp_path)]
    assert written[:2] == ["report.html", "summary.md"]
    assert {"plots/heat-map.svg", "plots/survival.svg", "plots/distribution.svg"} <= set(written)
    assert sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file()) == sorted(written)


def run(tmp_path, name, capsys, **typed):
    code = report(name, {**NOTHING, **typed}, tmp_path)
    captured = capsys.readouterr()
    assert captured.out == ""
    return code, captured.err


def test_the_command_writes_the_page_into_the_run_and_says_where(tmp_path, capsys):
    folder = write_run(tmp_path / "2026-11-21T030405Z-sweep", sweep())
    code, said = run(tmp_path, "latest", capsys)
    assert code == 0
    assert said.splitlines() == [
        said.splitlines()[0],
        str(folder / "report" / "report.html"),
    ]
    assert (folder / "report" / "report.html").read_text().startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ({"format": "pdf"}, "--format: 'pdf' is no format; there are html, svg, png, md, junit, and all"),
        ({"format": ","}, "--format: name one or more of html, svg, png, md, junit, or all"),
        ({"trial": "99"}, "--trial: 2026-11-21T030405Z-sweep has no trial 99 that counts"),
        ({"trial": "x"}, "--trial"),
        ({"out": ""}, "--out: name a folder"),
        ({"results": " "}, "--results: name a folder"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(tmp_path, capsys, typed, says):
    write_run(tmp_path / "2026-11-21T030405Z-sweep", sweep())
    code, said = run(tmp_path, "latest", capsys, **typed)
    assert code == 2
    assert said.startswith(says)
    assert said.count("\n") == 1
    assert not list(tmp_path.rglob("report.html"))


def test_a_run_without_records_is_refused(tmp_path, capsys):
    write_run(tmp_path / "2026-11-21T030405Z-sweep", [])
    code, said = run(tmp_path, "latest", capsys)
    assert code == 2
    assert said.endswith("has no record of an experiment, so there is nothing to report\n")


def test_a_run_that_is_not_finished_says_so_in_every_report(tmp_path, capsys):
    folder = write_run(tmp_path / "2026-11-21T030405Z-sweep", sweep())
    (folder / "plan.jsonl").write_text("{}\n" * 30)
    with (folder / "records.jsonl").open("ab") as file:
        file.write(b'{"experiment": "crash-cl')
    code, _ = run(tmp_path, "latest", capsys, format="html,md,junit", out=str(tmp_path / "out"))
    assert code == 0
    for name in ("report.html", "summary.md", "junit.xml"):
        text = (tmp_path / "out" / name).read_text()
        assert "The run is not finished: 24 of its 30 trials are here." in text
        assert "cannot be read, and are left out: 1" in text


def test_a_folder_that_cannot_be_written_ends_with_one_line(tmp_path, capsys):
    write_run(tmp_path / "2026-11-21T030405Z-sweep", sweep())
    (tmp_path / "file").write_text("")
    code, said = run(tmp_path, "latest", capsys, out=str(tmp_path / "file"))
    assert code == 4
    assert "cannot be written" in said.splitlines()[-1]
    assert len(said.splitlines()) == 2


def test_png_without_resvg_is_one_line_and_all_leaves_it_out(tmp_path, capsys, monkeypatch):
    write_run(tmp_path / "2026-11-21T030405Z-sweep", [record()])
    monkeypatch.setattr(plots, "find_spec", lambda name: None)
    code, said = run(tmp_path, "latest", capsys, format="png")
    assert (code, said.count("\n")) == (4, 1)
    assert said.startswith("PNG needs resvg: install halfopen[plots]")
    code, said = run(tmp_path, "latest", capsys, format="all", out=str(tmp_path / "out"))
    assert code == 0
    assert said.startswith("left out: PNG needs resvg")
    assert not list(Path(tmp_path / "out").rglob("*.png"))
    assert list(Path(tmp_path / "out").rglob("*.svg"))
