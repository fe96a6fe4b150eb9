"""The exported tables open in pandas and DuckDB, and the queries of docs/results.md say what they are said to say.

These libraries are heavy, and nothing else needs them: they are a dependency group of their own (tables).
"""

import contextlib
import re
import sqlite3
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

_ROOT = Path(__file__).resolve().parents[2]
_DOCS = (_ROOT / "docs" / "results.md").read_text()


@pytest.fixture
def tables(tmp_path, monkeypatch, capfd):
    """A folder, to be in, with trials.csv and trials.parquet of a run of two cells."""
    pytest.importorskip("pyarrow", reason="the dependency group `tables` is not installed")
    monkeypatch.syspath_prepend(str(_ROOT / "tests" / "unit"))
    from examples import detection, record
    from stored import stored

    from harness.commands import results as commands

    def trial(number, after_s, cell, **fields):
        return record(trial=number, cell=cell, detection=detection(after_s=after_s), **fields)

    missed = detection(verdict="missed", sign="none", by="none", after_s=None, watched_s=9.0)
    never = record(trial=5, cell="never", traffic="write", detection=missed, warnings=["a, b"], why='so "it" was')
    trials = [trial(number, after_s, "two") for number, after_s in enumerate((4.79, 4.8, 4.81))]
    trials += [trial(3, 99.0, "three", flagged="late"), trial(3, 4.9, "three", attempt=1), never]
    stored(tmp_path / "results", records=trials)
    for format in ("csv", "parquet"):
        typed = {"format": format, "out": str(tmp_path / f"trials.{format}"), "attempts": True}
        assert commands.export("latest", typed, tmp_path / "results") == 0
    assert capfd.readouterr().err == ""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def documented(language):
    """Return the query of docs/results.md in ``language``."""
    (found,) = re.findall(rf"```{language}\n(.*?)```", _DOCS, re.DOTALL)
    return found


def test_the_query_for_pandas(tables, capfd):
    pytest.importorskip("pandas", reason="the dependency group `tables` is not installed")
    names = {}
    exec(documented("python"), names)
    assert names["trials"].groupby("cell").after_s.median().dropna().to_dict() == {"three": 4.9, "two": 4.8}
    assert "worst_error_s" in capfd.readouterr().out


def test_the_query_for_duckdb(tables):
    duckdb = pytest.importorskip("duckdb", reason="the dependency group `tables` is not installed")
    assert duckdb.sql(documented("sql")).fetchall() == [(2, 1, 3, 4.9)]


def test_csv_and_parquet_are_the_same_table_with_the_same_kinds(tables):
    pandas = pytest.importorskip("pandas", reason="the dependency group `tables` is not installed")
    from harness.store.flat import COLUMNS

    typed, plain = pandas.read_parquet("trials.parquet"), pandas.read_csv("trials.csv")
    assert list(typed) == list(plain) == list(COLUMNS) and len(typed) == len(plain) == 6
    for name, kind in COLUMNS.items():
        left, right = typed[name].dropna(), plain[name].dropna()
        assert list(right.astype(str)) == [str(value) for value in left if value != ""], name
        if kind is not str:
            assert all(isinstance(value, kind) for value in left.tolist()), name


def test_the_query_to_the_index(tables):
    from harness.store.index import Index

    with Index(tables / "results"):
        pass
    (query,) = re.findall(r'"(SELECT idle_s.*?)"', _DOCS, re.DOTALL)
    with contextlib.closing(sqlite3.connect(tables / "results" / "index.sqlite")) as base:
        assert base.execute(query).fetchall() == [(2, 1, 3, 4.9)]
