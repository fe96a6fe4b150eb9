"""Comparisons of real runs: what nothing was done to is silent, and 5 % in one cell of two hundred is found.

Seven runs of the same 200 cells, and one in which a cell has a user timeout that is 5 % longer than its name says: 21
pairs of unchanged runs. About two minutes.
"""

import random
from itertools import combinations
from pathlib import Path

import msgspec
import pytest

from harness.compare.compare import compare
from harness.store.reading import read
from harness.verdict.record import Record
from tests.lab.program import run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

_CELLS, _RUNS = 200, 7
# With exact predictions, over several levels of the timer wheel.
_SWEEP = """
name = "steady"
ipv = [4, 6]

[[sweep]]
fault = "cut-link"
traffic = "write"
user-timeout = [{timeouts}]

[[sweep]]
fault = ["crash-client", "crash-server"]
keepalive = [1, 2, 3, 4, 5]
interval = [1, 2]
probes = [1, 2]

[[sweep]]
fault = "cut-link"
read-deadline = ["900ms", "1700ms", "2600ms", "4100ms", "6s"]
traffic = ["idle", "request"]
"""
_ODD, _LONGER = 5000, 5250


def _file(folder: Path, odd: int = _ODD) -> Path:
    values = [odd if each == _ODD else each for each in range(1100, 6100, 100)]
    path = folder / "steady.toml"
    path.write_text(_SWEEP.format(timeouts=", ".join(f'"{value}ms"' for value in values)))
    return path


def _run(path: Path, results: Path) -> list[Record]:
    ended = run("sweep", str(path), results=results, within_s=120)
    assert ended.code in (0, 3), ended.err
    found = read(max(results.iterdir())).records
    assert len({record.cell for record in found}) == _CELLS
    return found


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[list[Record]]:
    folder = tmp_path_factory.mktemp("nights")
    return [_run(_file(folder), folder / "results") for _ in range(_RUNS)]


def test_unchanged_runs_are_silent(runs: list[list[Record]]) -> None:
    pairs = list(combinations(range(_RUNS), 2))
    assert len(pairs) >= 20
    said = {pair: compare(runs[pair[0]], runs[pair[1]]).changes for pair in pairs}
    assert {pair: changes for pair, changes in said.items() if changes} == {}


def test_5_percent_in_one_cell_is_found(runs: list[list[Record]]) -> None:
    chance = random.Random(5)
    for before, after in combinations(range(_RUNS), 2):
        planted = chance.choice([record for record in runs[after] if _is_judged(record)])
        found = compare(runs[before], [_longer(each) if each is planted else each for each in runs[after]])
        assert {change.cell for change in found.changes} == {planted.cell}
        assert "slower" in [change.kind for change in found.regressions]


def test_a_setting_that_is_5_percent_longer_than_its_name_says_is_found(
    runs: list[list[Record]], tmp_path: Path
) -> None:
    other = _run(_file(tmp_path, _LONGER), tmp_path / "results")
    name, longer = "user-timeout=5 ", f"user-timeout={_LONGER}ms "
    called = [msgspec.structs.replace(each, cell=each.cell.replace(longer, name)) for each in other]
    found = compare(runs[0], called)
    assert {(change.kind, change.effect) for change in found.changes} == {("slower", "regression")}
    assert len(found.changes) == 2 and all("user_timeout_ms 5250, before 5000" in c.why for c in found.changes)


def _is_judged(record: Record) -> bool:
    """Whether one trial is enough: not too close to call, and 5 % of it are more than a stall of the machine."""
    exact = record.prediction.exact_s
    return exact is not None and exact > 1.7 and not record.prediction.ambiguous and record.flagged is None


def _longer(record: Record) -> Record:
    after = record.detection.after_s
    assert after is not None
    return msgspec.structs.replace(record, detection=msgspec.structs.replace(record.detection, after_s=1.05 * after))
