"""The records of ``stale-pool`` as Markdown tables: how docs/pool.md is made.

``python -m harness.report.pool_page results/<run>/records.jsonl ...``
"""

import sys
from collections.abc import Iterable
from pathlib import Path

import msgspec

from harness.pool.record import PoolRecord
from harness.report.pool import cells

_HEADS = (
    "strategy",
    "answered %",
    "failed %",
    "lost %",
    "unsaid %",
    "twice %",
    "caught",
    "false alarms",
    "race",
    "+median ms",
    "+p99 ms",
)


def markdown(records: Iterable[PoolRecord]) -> str:
    """Return the table of one run."""
    rows = [_HEADS, ("---", *("--:" for _ in _HEADS[1:])), *([str(cell) for cell in cells(each)] for each in records)]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def main() -> None:
    for name in sys.argv[1:]:
        lines = Path(name).read_bytes().splitlines()
        sys.stdout.write(markdown(msgspec.json.decode(line, type=PoolRecord) for line in lines) + "\n\n")


if __name__ == "__main__":
    main()
