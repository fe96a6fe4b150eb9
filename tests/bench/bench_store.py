"""What the index costs: python tests/bench/bench_store.py [runs] [records a run].

Makes runs in a folder of its own, indexes them, and lists them as a person does. Times are seconds of this machine;
exit code 1 where a target is missed. The obvious alternative, reading every record with the standard library each time
that runs are listed, stands beside it, and so does the start of Python, which takes out how busy the machine is.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(_ROOT), str(_ROOT / "tests" / "unit")]

from examples import record  # noqa: E402
from stored import stored  # noqa: E402

from harness.predict.situation import Step  # noqa: E402
from harness.store.index import NAME, Index  # noqa: E402

_RECORDS_A_SECOND = 20_000
_LISTING_S = 1.0


def make(results: Path, runs: int, each: int) -> int:
    """Make the runs; return their bytes."""
    steps = [Step(at_s=float(number), what=f"keepalive probe {number}") for number in range(8)]
    usual = record()
    prediction = type(usual.prediction)(
        **{name: getattr(usual.prediction, name) for name in usual.prediction.__struct_fields__ if name != "steps"},
        steps=steps,
    )
    size = 0
    for number in range(runs):
        trials = [
            record(trial=trial, cell=f"crash-client keepalive={trial}", prediction=prediction, seen=steps)
            for trial in range(each)
        ]
        name = f"2026-01-{1 + number // 1000:02}T{number // 60 % 24:02}{number % 60:02}{number % 7:02}Z-sweep"
        size += (stored(results, f"{name}-{number + 2}", trials) / "records.jsonl").stat().st_size
    return size


def timed(command: list[str]) -> float:
    before = time.perf_counter()
    subprocess.run(command, cwd=_ROOT, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - before


def main(runs: int, each: int) -> int:
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "results"
        size = make(results, runs, each)
        total = runs * each
        print(f"{runs} runs of {each} records, {size / 1e6:.0f} MB")
        before = time.perf_counter()
        with Index(results) as index:
            found = sum(run.trials for run in index.runs())
        built = time.perf_counter() - before
        assert found == total, found
        before = time.perf_counter()
        for path in results.glob("*/records.jsonl"):
            for line in path.read_bytes().splitlines():
                json.loads(line)
        naive = time.perf_counter() - before
        listing = ["-m", "invoke", "runs", "--results", str(results)]
        bare = min(timed([sys.executable, "-c", "pass"]) for _ in range(3))
        listed = min(timed([sys.executable, *listing]) for _ in range(3))
        rate = total / built
        print(f"building the index   {built:7.2f} s  {rate:8.0f} records/s  (target: more than {_RECORDS_A_SECOND})")
        print(f"its size             {(results / NAME).stat().st_size / 1e6:7.1f} MB")
        times = f"{listed:7.2f} s  {listed / bare:8.1f} x Python"
        print(f"invoke runs          {times}    (target: less than {_LISTING_S:g} s)")
        print(f"json.loads of it all {naive:7.2f} s  each time, without an index")
        return 0 if rate > _RECORDS_A_SECOND and listed < _LISTING_S else 1


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:3])) if len(sys.argv) > 2 else main(200, 1000))
