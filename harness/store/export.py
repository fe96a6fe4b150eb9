"""The trials of a run as one flat table: CSV, JSON Lines or Parquet. The columns are flat.COLUMNS (docs/results.md).

Parquet is written by pyarrow, which is an extra of its own: halfopen[parquet].
"""

import csv
import io
from collections.abc import Iterable, Iterator
from importlib import import_module
from itertools import islice
from typing import Any

import msgspec

from harness.errors import Unavailable
from harness.store.flat import COLUMNS, Value

FORMATS = ("csv", "parquet", "jsonl")
_AT_ONCE = 1000  # rows

Rows = Iterable[tuple[Value, ...]]


def encoded(rows: Rows, format: str) -> Iterator[bytes]:
    """Yield the table in ``format``, in pieces. Raises Unavailable where it needs what is not installed."""
    return {"csv": _csv, "jsonl": _jsonl, "parquet": _parquet}[format](rows)


def _csv(rows: Rows) -> Iterator[bytes]:
    """RFC 4180, but for its line ends; true, false, and nothing at all for what a trial does not have."""
    yield (",".join(COLUMNS) + "\n").encode()
    for some in _batches(rows):
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerows([_cell(value) for value in row] for row in some)
        yield text.getvalue().encode()


def _cell(value: Value) -> Value:
    return str(value).lower() if isinstance(value, bool) else value


def _jsonl(rows: Rows) -> Iterator[bytes]:
    for some in _batches(rows):
        yield b"".join(msgspec.json.encode(dict(zip(COLUMNS, row, strict=True))) + b"\n" for row in some)


def _parquet(rows: Rows) -> Iterator[bytes]:
    try:
        # By name: whether it is installed, and typed, makes no difference to this file.
        pyarrow: Any = import_module("pyarrow")
        parquet: Any = import_module("pyarrow.parquet")
    except ImportError:
        raise Unavailable(
            "Parquet needs pyarrow, which is not installed: pip install 'halfopen[parquet]', or take --format csv"
        ) from None
    kinds: dict[type, Any] = {
        str: pyarrow.string(),
        int: pyarrow.int64(),
        float: pyarrow.float64(),
        bool: pyarrow.bool_(),
    }
    schema = pyarrow.schema([(name, kinds[kind]) for name, kind in COLUMNS.items()])
    whole = list(rows)
    columns = zip(*whole, strict=True) if whole else [()] * len(COLUMNS)
    arrays = [
        pyarrow.array(column, type=field.type, from_pandas=False) for column, field in zip(columns, schema, strict=True)
    ]
    out = io.BytesIO()
    parquet.write_table(pyarrow.Table.from_arrays(arrays, schema=schema), out, compression="zstd")
    yield out.getvalue()


def _batches(rows: Rows) -> Iterator[list[tuple[Value, ...]]]:
    rows = iter(rows)
    while some := list(islice(rows, _AT_ONCE)):
        yield some
