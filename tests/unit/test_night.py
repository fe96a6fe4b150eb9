"""The night's job around a sweep that is made up: what it compares with, what it writes, how it ends."""

import io
import json
from xml.etree import ElementTree as Xml

import msgspec
import pytest
from nights import drawn, planted, trial
from rich.console import Console

from harness import night
from harness.compare.baseline import last_good, night_of
from harness.compare.machine import class_of
from harness.spec.trial import Trial
from harness.sweep import plan

MACHINE = {"kernel": "6.18.44", "machine": "x86_64", "hz": 250, "clocksource": "tsc", "cpus": 2}


class Nights:
    """Nights one after the other, under one folder of results."""

    def __init__(self, results):
        self.results, self.count, self.text = results, 0, ""

    def pass_(self, records, code=0, machine=MACHINE, name="small", planned=None, out=None):
        self.count += 1
        folder = self.results / f"2026-01-{self.count:02}T021700Z-{name}"

        def sweep():
            folder.mkdir(parents=True)
            trials = [Trial(fault="crash-client", number=n) for n in range(planned or len(records))]
            plan.write(folder, plan.Sweep(name=name), trials)
            (folder / "machine.json").write_text(json.dumps(machine))
            lines = (msgspec.json.encode(record) + b"\n" for record in records)
            (folder / "records.jsonl").write_bytes(b"".join(lines))
            return code, folder

        printed = io.StringIO()
        self.folder, self.out = folder, out or folder / "report"
        ended = night.run(sweep, self.results, out, Console(file=printed, width=200))
        self.text = printed.getvalue()
        return ended

    def compared_with(self):
        return night_of(self.folder).compared_with


@pytest.fixture
def nights(tmp_path):
    return Nights(tmp_path / "results")


def run(seed):
    return drawn(seed, cells=40)


def test_the_first_night_says_so_and_ends_as_the_sweep_did(nights):
    assert nights.pass_(run(1)) == 0
    assert "The first night of sweep small on a machine of this class (Linux 6.18, x86_64, HZ=250" in nights.text
    assert nights.compared_with() is None and night_of(nights.folder).good


def test_a_first_night_with_a_finding_ends_with_3_and_the_finding_is_known_from_then_on(nights):
    odd = trial("odd", agrees=False, number=99)
    assert nights.pass_([*run(1), odd], code=3) == 3
    assert "not all of it is proved and as predicted" in nights.text
    assert (nights.out / "summary.md").read_text().startswith("## First night")
    assert nights.pass_([*run(2), odd], code=3) == 0
    assert nights.compared_with() == "2026-01-01T021700Z-small"
    assert nights.pass_([*run(3), trial("odd", number=99)]) == 0 and "1 improvement" in nights.text
    assert nights.pass_([*run(4), odd], code=3) == 3


def test_a_first_night_with_many_findings_is_no_good_one(nights):
    odd = [trial(f"odd {n}", agrees=False, number=100 + n) for n in range(10)]
    assert nights.pass_([*run(1), *odd], code=3) == 3
    assert (nights.out / "summary.md").read_text().startswith("## Bad night")
    assert nights.pass_(run(2)) == 0
    assert nights.compared_with() is None


def test_an_unchanged_night_becomes_what_the_next_is_compared_with(nights):
    for day in (1, 2, 3):
        assert nights.pass_(run(day)) == 0
    assert nights.compared_with() == "2026-01-02T021700Z-small"
    assert "40 cells compared: 0 regressions" in nights.text


def test_a_regression_ends_with_3_and_the_night_after_is_compared_with_the_good_one(nights):
    nights.pass_(run(1))
    assert nights.pass_(planted(run(2), "cell 7")) == 3
    assert "cell 7" in nights.text and "1 regression" in nights.text
    assert not night_of(nights.folder).good and night_of(nights.folder).regressions == 1
    assert nights.pass_(planted(run(3), "cell 7")) == 3
    assert nights.compared_with() == "2026-01-01T021700Z-small"


def test_an_improvement_is_a_good_night(nights):
    nights.pass_(run(1))
    assert nights.pass_(planted(run(2), "cell 7", 0.9)) == 0
    assert "1 improvement" in nights.text


@pytest.mark.parametrize(
    "other",
    [{"kernel": "6.19.1"}, {"hz": 1000}, {"cpus": 4}, {"clocksource": "hpet"}, {"machine": "aarch64"}],
    ids=lambda other: next(iter(other)),
)
def test_a_machine_of_another_class_has_nights_of_its_own(nights, other):
    nights.pass_(run(1))
    assert nights.pass_(run(2), machine={**MACHINE, **other}) == 0
    assert nights.compared_with() is None
    nights.pass_(run(3), machine={**MACHINE, "kernel": "6.18.45"})
    assert nights.compared_with() == "2026-01-01T021700Z-small"


def test_another_sweep_has_nights_of_its_own(nights):
    nights.pass_(run(1))
    nights.pass_(run(2), name="other")
    assert nights.compared_with() is None


@pytest.mark.parametrize("code", [2, 4, 130])
def test_a_sweep_that_did_not_end_is_no_night(nights, code):
    nights.pass_(run(1))
    assert nights.pass_(run(2), code=code) == code
    assert night_of(nights.folder) is None and not nights.out.exists()
    nights.pass_(run(3))
    assert nights.compared_with() == "2026-01-01T021700Z-small"


def test_trials_without_a_record_and_cells_that_were_not_measured_make_a_bad_night(nights):
    nights.pass_(run(1))
    assert nights.pass_(run(2), planned=45) == 3
    assert "5 trials of the plan left no record" in nights.text
    assert nights.pass_([*run(3)[:-1], trial("cell 39", flagged="41 ms late", number=39)]) == 3
    assert "1 cell not measured" in nights.text


def test_what_is_there_to_read_in_the_morning(nights, tmp_path):
    nights.pass_(run(1))
    nights.pass_(planted(run(2), "cell 7"), out=tmp_path / "out")
    assert sorted(path.name for path in nights.out.iterdir()) == ["junit.xml", "report.html", "summary.md"]
    summary = (nights.out / "summary.md").read_text()
    assert summary.startswith("## Bad night\n") and "| slower | cell 7 |" in summary and "### Cells" in summary
    assert summary.count("\n## ") == 1
    suites = Xml.parse(nights.out / "junit.xml").getroot()
    assert suites.tag == "testsuites" and len(suites) == 2
    failed = suites[1].findall("testcase/failure/..")
    assert [case.get("name") for case in failed] == ["cell 7"]
    assert (suites[1].get("tests"), suites[1].get("failures")) == ("1", "1")
    assert suites[0].get("tests") == "40" and suites.attrib == {}


def test_a_good_nights_suite_has_one_case_that_passed(nights):
    nights.pass_(run(1))
    nights.pass_(run(2))
    suite = Xml.parse(nights.out / "junit.xml").getroot()[1]
    assert [case.get("name") for case in suite.findall("testcase")] == ["compare"]
    assert suite.find("testcase/failure") is None and (nights.out / "summary.md").read_text().startswith(
        "## Good night"
    )


def test_a_night_whose_reports_cannot_be_written_is_not_marked(nights, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Exception, match="cannot be written"):
        nights.pass_(run(1), out=tmp_path / "file" / "out")
    assert night_of(nights.folder) is None


def test_a_mark_that_cannot_be_read_is_none(nights):
    nights.pass_(run(1))
    (nights.folder / "night.json").write_text('{"good": tr')
    assert last_good(nights.results, "small", class_of(MACHINE), but=nights.results / "none") is None
