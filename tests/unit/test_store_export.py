import csv
import io
import json
import sys

import pytest
from examples import detection, record
from stored import stored, trial

from harness.errors import Unavailable
from harness.store import export
from harness.store.flat import COLUMNS, rows
from harness.store.reading import read

ODD = 'a "quoted", <b>text</b>\nof two lines; ümlaut'


@pytest.fixture
def folder(tmp_path):
    missed = detection(verdict="missed", sign="none", by="none", after_s=None, watched_s=9.0)
    return stored(
        tmp_path,
        records=[
            trial(0, 4.8, why=ODD),
            trial(1, 6.0, flagged="40 ms late"),
            trial(1, 4.9, attempt=1),
            trial(2, cell="b", warnings=["one", "two"]),
            trial(3, cell="c", agrees=False),
            trial(4, flagged="late"),
            record(trial=5, cell="c", detection=missed),
        ],
    )


def table(folder, format, attempts=False):
    return b"".join(export.encoded(rows(folder, read(folder).records, attempts), format))


def test_there_is_one_row_per_trial_that_of_the_attempt_that_counts(folder):
    found = [json.loads(line) for line in table(folder, "jsonl").splitlines()]
    assert [(each["trial"], each["attempt"], each["counts"]) for each in found] == [
        *((0, 0, True), (1, 1, True), (2, 0, True), (3, 0, True), (4, 0, False), (5, 0, True))
    ]
    assert found[1]["after_s"] == 4.9 and found[4]["flagged"] == "late"


def test_with_attempts_there_is_one_row_per_record_and_one_of_a_trial_counts(folder):
    found = [json.loads(line) for line in table(folder, "jsonl", attempts=True).splitlines()]
    assert [each["counts"] for each in found if each["trial"] == 1] == [False, True] and len(found) == 7


def test_csv_says_the_same_as_jsonl(folder):
    plain = list(csv.DictReader(io.StringIO(table(folder, "csv").decode(), newline="")))
    typed = [json.loads(line) for line in table(folder, "jsonl").splitlines()]
    assert len(plain) == len(typed) == 6
    for left, right in zip(plain, typed, strict=True):
        assert list(left) == list(right) == list(COLUMNS)
        for name, value in right.items():
            written = "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
            assert left[name] == written
    assert plain[0]["why"] == ODD and plain[2]["warnings"] == "one; two" and plain[5]["after_s"] == ""


def test_every_value_is_of_its_columns_kind(folder):
    for row in rows(folder, read(folder).records, attempts=True):
        for (name, kind), value in zip(COLUMNS.items(), row, strict=True):
            assert value is None or isinstance(value, kind) or (kind is float and isinstance(value, int)), name


def test_what_a_lab_says_in_an_unknown_way_does_not_break_the_table(tmp_path):
    folder = stored(tmp_path, records=[trial(lab={"kind": ["odd"], "hz": "fast"}), trial(1, lab={})])
    found = [json.loads(line) for line in table(folder, "jsonl").splitlines()]
    assert [(each["lab"], each["hz"]) for each in found] == [("['odd']", None), (None, None)]


def test_a_run_without_trials_is_a_table_without_rows(tmp_path):
    folder = stored(tmp_path, records=[])
    assert table(folder, "csv").decode() == ",".join(COLUMNS) + "\n" and table(folder, "jsonl") == b""


def test_without_pyarrow_parquet_is_code_4_and_one_line(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(Unavailable, match=r"pip install 'halfopen\[parquet\]', or take --format csv") as error:
        table(folder, "parquet")
    assert error.value.exit_code == 4
