"""The predictor against the kernel: some hundred real trials at once, and how far they are from what was predicted.

``python -m tests.slow.agreement [SEED [COUNT]]``, on an otherwise quiet machine. Prints the figures; exits 3 where a
trial is outside its interval or not proved, or where the exact predictions are not as good as they are meant to be.
"""

import sys
import time
from statistics import median

from harness.verdict.record import Record
from tests.lab.cases import draw_trials
from tests.lab.together import run_together

_WITHIN_S = 600.0
MEDIAN_MS, P99_MS, AMBIGUOUS_SHARE = 0.7, 5.0, 0.01


def error_ms(record: Record) -> float | None:
    """How far the exact prediction was off: from the kernel's own instant where that was seen on the wire."""
    detection, exact = record.detection, record.prediction.exact_s
    if exact is None or detection.after_s is None:
        return None
    seen = detection.after_s if detection.kernel_after_s is None else detection.kernel_after_s
    return (seen - exact) * 1000


def describe(record: Record) -> str:
    """One line about a trial that is to be looked at."""
    d, p = record.detection, record.prediction
    asked = {
        name: value
        for name, value in (
            ("idle", record.settings.idle_s if record.settings.keepalive else None),
            ("interval", record.settings.interval_s if record.settings.keepalive else None),
            ("count", record.settings.count if record.settings.keepalive else None),
            ("user-timeout", record.settings.user_timeout_ms or None),
            ("retries", record.settings.retries2 if record.settings.retries2 != 15 else None),
            ("read-deadline", record.settings.read_deadline_s),
            ("write-deadline", record.settings.write_deadline_s),
            ("heartbeat", record.settings.heartbeat_s),
            ("misses", record.settings.heartbeat_misses if record.settings.heartbeat_s else None),
        )
        if value is not None
    }
    return (
        f"#{record.trial} {record.experiment} {record.traffic} IPv{record.ipv} {record.survivor} "
        f"{record.fault.options} {asked}: "
        f"seen {d.verdict} {d.sign} {d.by} {d.after_s} (kernel {d.kernel_after_s}, recovered {d.recovered_after_s}); "
        f"predicted {p.verdict} {p.sign} {p.by} {p.earliest_s}..{p.latest_s} exact {p.exact_s} "
        f"recovery {p.recovery_earliest_s}..{p.recovery_latest_s}{' ambiguous' if p.ambiguous else ''}; "
        f"proof {record.proof.missing or 'holds'}"
    )


def main(seed: int, count: int) -> int:
    began = time.monotonic()
    records = run_together(draw_trials(seed, count), _WITHIN_S)
    took = time.monotonic() - began
    outside = [r for r in records if not (r.agrees and r.proof.holds)]
    for record in outside:
        print("OUTSIDE", describe(record))
    known = sorted(
        ((abs(e), r) for r in records if (e := error_ms(r)) is not None and not r.prediction.ambiguous),
        key=lambda pair: pair[0],
    )
    errors = [error for error, _ in known]
    ambiguous = sum(r.prediction.ambiguous for r in records)
    tick_ms = 1000 / records[0].lab["hz"]
    p99 = errors[int(0.99 * (len(errors) - 1))]
    for error, record in known[-5:]:
        print(f"{error:.2f} ms off: {describe(record)}")
    print(f"seed {seed}: {len(records)} trials in {took:.0f} s, {len(outside)} outside their interval or not proved")
    print(
        f"exact: {len(errors)}; error median {median(errors):.3f} ms, 99th percentile {p99:.3f} ms, "
        f"largest {errors[-1]:.3f} ms (two ticks are {2 * tick_ms:g} ms); ambiguous {ambiguous}"
    )
    good = not outside and median(errors) <= MEDIAN_MS and p99 <= P99_MS and errors[-1] <= 2 * tick_ms
    return 0 if good and ambiguous <= max(1, AMBIGUOUS_SHARE * len(records)) else 3


if __name__ == "__main__":
    sys.exit(main(*(int(word) for word in (*sys.argv[1:], *("1", "320")[len(sys.argv) - 1 :]))))
