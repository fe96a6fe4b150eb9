"""What hosts over SSH cost beside what they measure: python tests/bench/bench_ssh.py [rounds], as root.

Hosts are namespaces with an sshd each (tests/ssh), so that no network's slowness is in it. Times are seconds: median,
worst, and the target for the median. Exit code 1 where a target is missed.

start       from the start of the command to the beginning of its first trial
overhead    the whole command with some trials one after the other, less what they waited, per trial, beside the same in
            namespaces: the silence before the fault and the survivor's wait are the experiment's own
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(_ROOT))

from tests.ssh import keys  # noqa: E402
from tests.ssh.namespaces import Pair  # noqa: E402
from tests.ssh.plan import Plan  # noqa: E402

_TRIALS = 4
_JOB = ("-m", "invoke", "crash-client", "--keepalive", "1", "--interval", "1", "--probes", "1", "--json")
_START_TARGET_S = 2.0
_OVERHEAD_TARGET_S = 0.3


def _waited(records: list[dict[str, dict[str, float]]]) -> float:
    return sum(record["fault"]["quiet_s"] + record["detection"]["after_s"] for record in records)


def run(through: Sequence[str], *more: str) -> tuple[float, float]:
    """Run the job; return how long it took to come to its first trial, and what it took per trial beside waiting."""
    with tempfile.TemporaryDirectory() as results:
        before, wall = time.perf_counter(), time.time()
        command = [*through, *_JOB, "--repeat", str(_TRIALS), "--results", results, *more]
        done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=True)
        whole = time.perf_counter() - before
        # The first line is said when the lab stands, which the run's machine.json is written with.
        (machine,) = Path(results).glob("*/machine.json")
        start = machine.stat().st_mtime - wall
    return start, (whole - start - _waited([json.loads(line) for line in done.stdout.splitlines()])) / _TRIALS


def show(name: str, times: Sequence[float], target: float | None = None) -> bool:
    median = statistics.median(times)
    wanted = "" if target is None else f"{target:8.1f}"
    print(f"{name:44} {median:8.3f} {max(times):8.3f} {wanted:>8}")
    return target is None or median <= target


def main(rounds: int) -> int:
    print(f"{'':44} {'median':>8} {'worst':>8} {'target':>8}   ({rounds} rounds of {_TRIALS} trials)")
    near, far = [], []
    with tempfile.TemporaryDirectory() as folder:
        made = keys.make(Path(folder))
        with tempfile.TemporaryDirectory() as place, Pair(Plan(place), made) as pair:
            # In turn, so that a busy moment of the machine falls on both alike.
            for _ in range(rounds):
                near.append(run([sys.executable]))
                far.append(run(pair.through, "--hosts", str(pair.hosts_file)))
    show("start to first trial, namespaces", [start for start, _ in near])
    met = show("start to first trial, over SSH", [start for start, _ in far], _START_TARGET_S)
    show("a trial without its waiting, namespaces", [rest for _, rest in near])
    show("a trial without its waiting, over SSH", [rest for _, rest in far])
    more = [there[1] - here[1] for here, there in zip(near, far, strict=True)]
    met &= show("the difference", more, _OVERHEAD_TARGET_S)
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 5))
