"""A thousand cells in one go, five thousand, and the obvious alternative: a shell loop over one cell at a time.

``python -m tests.bench.bench_sweep [CELLS ...]``, by default 1000 and 5000, on an otherwise quiet machine of two cores.
Prints, for each, how long it took against the longest cell, the memory of the controller and everything it started, how
many cells are proved and inside their interval, and how far the exact predictions were off; then the same cells by a
shell loop, reckoned from a few single runs. Exits 3 where a figure is not what it is meant to be.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import msgspec

from harness.store.cells import standing
from harness.store.run import records as kept
from harness.verdict.record import Record

_ROOT = Path(__file__).parents[2]
_EVERY_S = 0.25
_SINGLE_RUNS = 5
# 2 x 5 x 5 x 5 x 2 = 500 cells, of 6 to 41 s, each as often as it takes: with a process of their own for the peer and
# without, over both IP versions.
_LISTS = {
    "--fault": "crash-client,cut-link",
    "--keepalive": "5,6,8,10,15",
    "--interval": "1,2,3,4,5",
    "--probes": "1,2,3,4,5",
    "--ipv": "4,6",
}
_CELLS = 500
LONGER, LONGER_S, MOST_MB = 1.05, 5.0, 500
MEDIAN_MS, P99_MS, FLAGGED_SHARE = 2.0, 10.0, 0.01


class Figures(msgspec.Struct, kw_only=True):
    """Of one sweep. ``longest_s``: from the opening of the longest cell to its end.

    ``peak_mb``: RSS of all processes, which counts what they share once for each; ``peak_pss_mb`` counts it once.
    """

    wall_s: float
    peak_mb: float
    peak_pss_mb: float
    longest_s: float
    records: list[Record]
    attempts: int


def main(sizes: list[int]) -> int:
    good = True
    for cells in sizes:
        figures = _sweep(cells)
        good &= _say(cells, figures)
        _say_alternative(figures)
    return 0 if good else 3


def _sweep(cells: int) -> Figures:
    """Run so many trials of the cells above, each cell as often as that takes."""
    lists = [word for option, values in _LISTS.items() for word in (option, values)]
    with tempfile.TemporaryDirectory() as results:
        began = time.monotonic()
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "invoke",
                "sweep",
                *lists,
                "--repeat",
                str(-(-cells // _CELLS)),
                "--results",
                results,
            ],
            cwd=_ROOT,
            stderr=subprocess.PIPE,
        )
        peak = peak_pss = 0.0
        while process.poll() is None:
            family = _family(process.pid)
            peak = max(peak, sum(_memory_mb(pid, "status", "VmRSS") for pid in family))
            peak_pss = max(peak_pss, sum(_memory_mb(pid, "smaps_rollup", "Pss") for pid in family))
            time.sleep(_EVERY_S)
        wall = time.monotonic() - began
        assert process.stderr is not None
        said = process.stderr.read().decode()
        assert process.returncode in (0, 3), said
        (folder,) = Path(results).iterdir()
        found = kept(folder)
    longest = max((r.fault.quiet_s or 0.0) + (r.detection.after_s or 0.0) for r in found)
    return Figures(
        wall_s=wall, peak_mb=peak, peak_pss_mb=peak_pss, longest_s=longest, records=standing(found), attempts=len(found)
    )


def _say(cells: int, figures: Figures) -> bool:
    records, longest = figures.records, figures.longest_s
    proved = sum(record.proof.holds for record in records)
    agreed = sum(record.agrees for record in records)
    flagged = sum(record.flagged is not None for record in records)
    errors = sorted(
        abs(record.detection.after_s - record.prediction.exact_s) * 1000
        for record in records
        if record.detection.after_s is not None and record.prediction.exact_s is not None and record.flagged is None
    )
    p99 = errors[int(0.99 * (len(errors) - 1))]
    allowed = LONGER * longest + LONGER_S
    print(f"{len(records)} cells in one go ({figures.attempts - len(records)} attempts flagged and run again)")
    print(f"  wall {figures.wall_s:.1f} s; the longest cell {longest:.1f} s: {figures.wall_s / longest:.2f} x")
    print(
        f"  memory of all its processes: RSS at most {figures.peak_mb:.0f} MB in sum,"
        f" {figures.peak_pss_mb:.0f} MB with what they share counted once"
    )
    print(f"  proved {proved}, inside the interval {agreed}, flagged for good {flagged}")
    print(f"  error against the exact prediction: median {median(errors):.2f} ms, 99th percentile {p99:.2f} ms")
    whole = len(records) >= cells and flagged <= FLAGGED_SHARE * len(records)
    if cells > 1000:
        return whole
    exact = median(errors) <= MEDIAN_MS and p99 <= P99_MS
    return (
        whole
        and exact
        and proved == agreed == len(records)
        and figures.wall_s <= allowed
        and figures.peak_mb <= MOST_MB
    )


def _say_alternative(figures: Figures) -> None:
    """One cell at a time: what a single run takes beyond its cell, measured, for every cell."""
    beyond = []
    for _ in range(_SINGLE_RUNS):
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as results:
            words = ["cut-link", "--keepalive", "1", "--interval", "1", "--probes", "1", "--json", "--results", results]
            done = subprocess.run([sys.executable, "-m", "invoke", *words], cwd=_ROOT, capture_output=True, check=True)
        record = msgspec.json.decode(done.stdout, type=Record)
        beyond.append(time.monotonic() - began - _lasted_s(record))
    loop = sum(map(_lasted_s, figures.records)) + len(figures.records) * median(beyond)
    times = loop / figures.wall_s
    print(f"  by a shell loop, {median(beyond):.2f} s beyond each cell: {loop / 3600:.1f} h, {times:.0f} x as long")


def _lasted_s(record: Record) -> float:
    return (record.fault.quiet_s or 0.0) + (record.detection.after_s or record.detection.watched_s or 0.0)


def _family(root: int) -> list[int]:
    """Return a process and everything below it."""
    below: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        below.setdefault(parent, []).append(int(stat.parent.name))
    found, rest = [], [root]
    while rest:
        found.append(rest.pop())
        rest += below.get(found[-1], [])
    return found


def _memory_mb(pid: int, file: str, name: str) -> float:
    try:
        lines = Path(f"/proc/{pid}/{file}").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{name}:")), 0.0)


if __name__ == "__main__":
    sys.exit(main([int(word) for word in sys.argv[1:]] or [1000, 5000]))
