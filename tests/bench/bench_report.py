"""How long a report of many cells takes to make and to open: python tests/bench/bench_report.py [cells] [rounds].

The page of a run of so many cells (1,000), three trials each: seconds to make it, its size, and seconds until the
browser has loaded it, laid out and with its filters ready, for a wide screen and for a phone. Median, worst, target;
the opening also as a multiple of an empty page's, which takes out most of how fast this machine is and how busy. Exit
code 1 where a target is missed, 4 without a browser.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from harness.report.page.html import page
from tests.browser.conftest import PHONE, WIDE, Browser, start
from tests.unit.sweeps import facts, sweep

_MAKE_TARGET_S, _OPEN_TARGET_S, _SIZE_TARGET = 5.0, 2.0, 5_000_000
_FAULTS = ("crash-client", "crash-server", "cut-link", "crash-host")


def opening(browser: Browser, path: Path, size: tuple[int, int], rounds: int) -> list[float]:
    """From the call to the loaded page, with everything laid out and painted once."""
    times = []
    for _ in range(rounds):
        browser.prepare(size)
        before = time.perf_counter()
        browser.driver.get(path.as_uri())
        browser.run("return document.body.getBoundingClientRect().height")
        times.append(time.perf_counter() - before)
    return times


def line(what: str, times: list[float], target: float, more: str = "") -> bool:
    middle = statistics.median(times)
    print(f"{what:<28} median {middle:7.3f} s   worst {max(times):7.3f} s   target {target:.1f} s   {more}")
    return middle <= target


def main() -> int:
    cells, rounds = (int(text) for text in [*sys.argv[1:], *("1000", "5")[len(sys.argv) - 1 :]])
    found = facts(sweep(range(1, cells // 40 + 1), range(1, 11), _FAULTS, repeat=3))
    made = []
    for _ in range(rounds):
        before = time.perf_counter()
        html = page(found)
        made.append(time.perf_counter() - before)
    good = line(f"make, {len(found.cells)} cells", made, _MAKE_TARGET_S)
    size = len(html.encode())
    print(f"{'size':<28} {size / 1e6:.2f} MB   target {_SIZE_TARGET / 1e6:.0f} MB")
    good &= size <= _SIZE_TARGET
    with tempfile.TemporaryDirectory() as folder:
        full, empty = Path(folder, "report.html"), Path(folder, "empty.html")
        full.write_text(html)
        empty.write_text("<!doctype html><title>empty</title><p>empty</p>")
        try:
            with start(Path(folder)) as browser:
                for name, screen in (("wide", WIDE), ("phone", PHONE)):
                    base = statistics.median(opening(browser, empty, screen, rounds))
                    times = opening(browser, full, screen, rounds)
                    ratio = f"{statistics.median(times) / base:.0f} x an empty page"
                    good &= line(f"open, {name}", times, _OPEN_TARGET_S, ratio)
        except pytest.skip.Exception as missing:
            print(missing, file=sys.stderr)
            return 4
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
