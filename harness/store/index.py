"""results/index.sqlite: a line per run and a line per record, over all runs. The runs are the truth; this can go.

It is brought up to date whenever it is opened: a run whose records.jsonl has another size or time than the index knows
is read again, whole. So nothing that runs an experiment has to think of it, and a kill at any moment loses nothing. It
is made anew where it is missing, damaged, or of another version. Whoever uses it holds flock(2) on the results folder;
where that or the file cannot be had (a folder that may only be read), the same index is made in memory.
"""

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from harness.errors import Refused
from harness.store import lock, reading
from harness.store.find import RECORDS, runs
from harness.store.flat import COLUMNS, rows
from harness.store.summary import Summary, summarize

NAME = "index.sqlite"
# One more whenever the tables change, or what is counted in them.
VERSION = 1
# Another that makes the index anew may take this long; after that, this one makes its own in memory.
_PATIENCE_S = 10.0
_BUSY_S = 2.0  # for programs that know nothing of the lock: a shell, DuckDB
_SQL = {str: "TEXT", int: "INTEGER", float: "REAL", bool: "INTEGER"}
_SUMMARY = {field.name: field.type for field in msgspec.structs.fields(Summary)}
_STRANGERS = "SELECT type, name FROM sqlite_master WHERE type IN ('table', 'view')"
# ``why`` is a third of a row, and stands in the record.
_COLUMNS = {name: kind for name, kind in COLUMNS.items() if name != "why"}
_LAST = list(COLUMNS).index("why")
_MENDED_ANEW = (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class Index:
    """The index over ``results``, up to date. Use it in a ``with``. ``rebuild``: make it anew.

    ``in_memory``: it could not be kept. ``read_again``: the names of the runs that the index did not know as they are.
    """

    def __init__(self, results: Path, rebuild: bool = False) -> None:
        self._results = results
        self._rebuild = rebuild
        self.in_memory = False
        self.read_again: list[str] = []

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as opened:
            held = _locked(self._results)
            if held is not None:
                opened.callback(os.close, held)
            self._folders = runs(self._results)
            self._base = self._current(held is not None)
            opened.callback(self._base.close)
            self._close = opened.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._close.close()

    def runs(self) -> list[Summary]:
        """Return what is known of every run, the oldest first."""
        lines = self._base.execute(f"SELECT {', '.join(_SUMMARY)} FROM runs")
        found = {line[0]: Summary(*line) for line in lines}
        return [found[folder.name] for folder in self._folders if folder.name in found]

    def query(self, sql: str, *values: object) -> list[tuple[object, ...]]:
        """Return the answer to a question to the tables ``runs`` and ``trials``."""
        return self._base.execute(sql, values).fetchall()

    def _current(self, locked: bool) -> sqlite3.Connection:
        """Return the index, up to date: the file, the file made anew, or one in memory, whatever succeeds first."""
        for base in self._places(locked):
            try:
                _prepare(base)
                self._catch_up(base)
            except sqlite3.Error as error:
                base.close()
                # Only what is damaged or strange is made anew; what is busy, full or read-only is left as it is.
                locked = error.sqlite_errorcode & 0xFF in _MENDED_ANEW
                self._rebuild = True
                self.read_again.clear()
            else:
                return base
            if not locked:
                break
        base = self._copy()
        _prepare(base)
        self._catch_up(base)
        return base

    def _places(self, locked: bool) -> Iterator[sqlite3.Connection]:
        """Yield the file, and if that did not do, the file anew."""
        path = self._results / NAME
        for _ in range(2):
            if not locked or not os.access(self._results, os.W_OK):
                return
            try:
                if self._rebuild:
                    for name in (NAME, f"{NAME}-journal"):
                        (self._results / name).unlink(missing_ok=True)
                yield sqlite3.connect(path, timeout=_BUSY_S)
            except (OSError, sqlite3.Error):
                return

    def _copy(self) -> sqlite3.Connection:
        """Return an index in memory, with what the file has where that can be read."""
        self.in_memory = True
        base = sqlite3.connect(":memory:")
        path = self._results / NAME
        if not self._rebuild and path.is_file():
            try:
                with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as file:
                    file.backup(base)
                _prepare(base)
            except sqlite3.Error:
                base.close()
                base = sqlite3.connect(":memory:")
        return base

    def _catch_up(self, base: sqlite3.Connection) -> None:
        """Forget the runs that are gone and read again those that have changed: all of it or, after a kill, nothing."""
        known = {name: (size, changed) for name, size, changed in base.execute("SELECT name, size, changed FROM runs")}
        with base:
            for name in known.keys() - {folder.name for folder in self._folders}:
                _forget(base, name)
            for folder in self._folders:
                with contextlib.suppress(OSError, Refused):
                    status = (folder / RECORDS).stat()
                    # Taken before the reading: what is appended meanwhile shows the next time.
                    stamp = (status.st_size, status.st_mtime_ns)
                    if known.get(folder.name) != stamp:
                        _take_in(base, folder, stamp)
                        self.read_again.append(folder.name)


def _prepare(base: sqlite3.Connection) -> None:
    """Make the tables, if this version's are not there. Raises sqlite3.Error where it is no database."""
    (version,) = base.execute("PRAGMA user_version").fetchone()
    if version == VERSION:
        return
    with base:
        base.execute("BEGIN IMMEDIATE")
        for kind, name in base.execute(
            "SELECT type, name FROM sqlite_master WHERE type IN ('table', 'view')"
        ).fetchall():
            base.execute(f'DROP {kind} "{name}"')
        for statement in _schema():
            base.execute(statement)
        base.execute(f"PRAGMA user_version = {VERSION}")


def _schema() -> Iterator[str]:
    summary = ", ".join(f'"{name}" {_SQL[kind]}' for name, kind in _SUMMARY.items())
    columns = ", ".join(f'"{name}" {_SQL[kind]}' for name, kind in _COLUMNS.items())
    yield f"CREATE TABLE runs ({summary}, size INTEGER, changed INTEGER, PRIMARY KEY (name))"
    yield f"CREATE TABLE trials ({columns})"
    yield "CREATE INDEX trials_by_run ON trials (run)"


def _take_in(base: sqlite3.Connection, folder: Path, stamp: tuple[int, int]) -> None:
    content = reading.read(folder)
    _forget(base, folder.name)
    line = (*msgspec.structs.astuple(summarize(folder, content)), *stamp)
    base.execute(f"INSERT INTO runs VALUES ({', '.join('?' * len(line))})", line)
    places = ", ".join("?" * len(_COLUMNS))
    lines = (row[:_LAST] for row in rows(folder, content.records, attempts=True))
    base.executemany(f"INSERT INTO trials VALUES ({places})", lines)


def _forget(base: sqlite3.Connection, name: str) -> None:
    base.execute("DELETE FROM runs WHERE name = ?", (name,))
    base.execute("DELETE FROM trials WHERE run = ?", (name,))


def _locked(results: Path) -> int | None:
    """Return the results folder, open and locked, or None where that cannot be."""
    try:
        folder = os.open(results, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None
    if lock.take(folder, _PATIENCE_S):
        return folder
    os.close(folder)
    return None
