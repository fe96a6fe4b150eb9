"""What the commands cost beside what they measure: python tests/bench/bench_command.py [rounds].

Times are seconds: median, worst, the target for the median, and the median as a multiple of the start of Python alone,
which takes out most of how fast this machine is and how busy. Exit code 1 where a target is missed. What the lab
itself costs, building and taking down, is what bench_lab.py says, whose few lines follow.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

_LAB = Path(__file__).with_name("bench_lab.py")
_ROOT = Path(__file__).resolve().parents[2]
_INVOKE = (sys.executable, "-m", "invoke")
_MAIN = ("crash-client", "--keepalive", "2", "--interval", "1", "--probes", "3")
_LISTING_TARGET_S = 0.4
_OVERHEAD_TARGET_S = 1.0


def timed(command: Sequence[str]) -> tuple[float, str]:
    """How long a command took, and what it printed on standard output."""
    before = time.perf_counter()
    done = subprocess.run(command, cwd=_ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
    return time.perf_counter() - before, done.stdout


def overhead() -> float:
    """The main job, less the time that it had to wait: the silence before the fault, and the survivor's wait."""
    with tempfile.TemporaryDirectory() as results:
        whole, out = timed([*_INVOKE, *_MAIN, "--json", "--results", results])
    record = json.loads(out)
    waited: float = record["fault"]["quiet_s"] + record["detection"]["after_s"]
    return whole - waited


def show(name: str, times: Sequence[float], base: float, target: float | None = None) -> bool:
    """Print a line; return whether the target was met."""
    median = statistics.median(times)
    wanted = "" if target is None else f"{target:8.1f}"
    print(f"{name:34} {median:8.3f} {max(times):8.3f} {wanted:>8} {median / base:8.1f} x Python")
    return target is None or median <= target


def main(rounds: int) -> int:
    print(f"{'':34} {'median':>8} {'worst':>8} {'target':>8}   ({rounds} rounds)")
    bare, listing, rest = [], [], []
    # In turn, so that a busy moment of the machine falls on all alike.
    for _ in range(rounds):
        bare.append(timed([sys.executable, "-c", "pass"])[0])
        listing.append(timed([*_INVOKE, "--list"])[0])
        rest.append(overhead())
    base = statistics.median(bare)
    show("start of Python", bare, base)
    met = show("invoke --list", listing, base, _LISTING_TARGET_S)
    met &= show("the main job without its waiting", rest, base, _OVERHEAD_TARGET_S)
    print(flush=True)
    # In a process of its own: it enters namespaces, from which there is no way back.
    subprocess.run([sys.executable, str(_LAB), str(rounds)], check=True)
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 5))
