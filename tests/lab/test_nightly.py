"""`invoke nightly` as a job runs it: two nights of a tiny sweep, and one with a network that got slower in between."""

from pathlib import Path
from xml.etree import ElementTree as Xml

import msgspec
import pytest

from tests.lab.program import run

_SWEEP = """
name = "tiny"
fault = ["crash-client", "cut-link"]
keepalive = 1
interval = 1
probes = [1, 2]
"""


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.toml"
    path.write_text(_SWEEP)
    return path


@pytest.mark.slow
def test_two_nights_and_a_third_that_is_worse(sweep: Path, tmp_path: Path) -> None:
    results, out = tmp_path / "results", tmp_path / "out"
    words = ("nightly", "--sweep", str(sweep), "--out", str(out))
    first = run(*words, results=results, within_s=60)
    assert first.code == 0, first.err
    assert "The first night of sweep tiny on a machine of this class (Linux " in first.err
    assert first.out == ""

    (good,) = results.iterdir()
    second = run(*words, results=results, within_s=60)
    assert second.code == 0, second.err
    assert "4 cells compared: 0 regressions" in second.err
    assert f"against {good.name}, the last good night" in second.err
    assert sorted(path.name for path in out.iterdir()) == ["junit.xml", "report.html", "summary.md"]
    assert (out / "summary.md").read_text().startswith("## Good night\n")
    assert [suite.get("failures") for suite in Xml.parse(out / "junit.xml").getroot()] == ["0", "0"]

    # Had one cell been a tenth faster in the last good night, tonight would be worse.
    better = max(results.iterdir())
    cell = _faster(better / "records.jsonl")
    third = run(*words, results=results, within_s=60)
    assert third.code == 3, third.err
    assert "4 cells compared: 1 regression" in third.err
    failed = Xml.parse(out / "junit.xml").getroot().findall("testsuite[2]/testcase")
    assert [case.get("name") for case in failed] == [cell]

    # By hand it is the same.
    by_hand = run("compare", better.name, "latest", results=results, within_s=30)
    assert by_hand.code == 3 and by_hand.err == "" and "slower" in by_hand.out


def test_a_sweep_that_is_not_there_is_refused_in_one_line(tmp_path: Path) -> None:
    ended = run("nightly", "--sweep", str(tmp_path / "none.toml"), results=tmp_path, within_s=30)
    assert (ended.code, ended.out, len(ended.err.splitlines())) == (2, "", 1)
    assert "none.toml" in ended.err and "smoke" in ended.err


def _faster(path: Path) -> str:
    """Make the first record's time a tenth shorter; return its cell."""
    first, *rest = path.read_bytes().splitlines(keepends=True)
    record = msgspec.json.decode(first)
    detection = record["detection"]
    for name in ("after_s", "kernel_after_s"):
        detection[name] *= 0.9
    path.write_bytes(msgspec.json.encode(record) + b"\n" + b"".join(rest))
    return str(record["cell"])
