"""A trial as one row: flat columns, the same for export and for the table ``trials`` of the index.

Names are a contract (docs/results.md); columns may be added at the end. Durations are seconds after the fault, unless
the name says otherwise. What a trial does not have is empty (NULL).
"""

from collections.abc import Iterable, Iterator
from operator import attrgetter
from pathlib import Path

import msgspec

from harness.store.cells import cell_text, standing
from harness.verdict.record import Record

Value = str | int | float | bool | None
Kind = type[str] | type[int] | type[float] | type[bool]

# name: what it is, and where in the record it stands.
_PLAIN: dict[str, tuple[Kind, str]] = {
    "experiment": (str, "experiment"),
    "trial": (int, "trial"),
    "attempt": (int, "attempt"),
    "flagged": (str, "flagged"),
    "traffic": (str, "traffic"),
    "survivor": (str, "survivor"),
    "ipv": (int, "ipv"),
    "fault": (str, "fault.kind"),
    "fault_where": (str, "fault.where"),
    "quiet_s": (float, "fault.quiet_s"),
    "uncertainty_s": (float, "fault.uncertainty_s"),
    "healed_after_s": (float, "fault.healed_after_s"),
    "keepalive": (bool, "settings.keepalive"),
    "idle_s": (int, "settings.idle_s"),
    "interval_s": (int, "settings.interval_s"),
    "probes": (int, "settings.count"),  # "count" is a word of SQL and of pandas
    "user_timeout_ms": (int, "settings.user_timeout_ms"),
    "read_deadline_s": (float, "settings.read_deadline_s"),
    "write_deadline_s": (float, "settings.write_deadline_s"),
    "deadline_by": (str, "settings.deadline_by"),
    "heartbeat_s": (float, "settings.heartbeat_s"),
    "heartbeat_misses": (int, "settings.heartbeat_misses"),
    "retries2": (int, "settings.retries2"),
    "rto_max_ms": (int, "settings.rto_max_ms"),
    "syn_count": (int, "settings.syn_count"),
    "syn_linear": (int, "settings.syn_linear"),
    "verdict": (str, "detection.verdict"),
    "sign": (str, "detection.sign"),
    "detected_by": (str, "detection.by"),
    "after_s": (float, "detection.after_s"),
    "kernel_after_s": (float, "detection.kernel_after_s"),
    "watched_s": (float, "detection.watched_s"),
    "recovered_after_s": (float, "detection.recovered_after_s"),
    "late_s": (float, "late_s"),
    "predicted_verdict": (str, "prediction.verdict"),
    "predicted_sign": (str, "prediction.sign"),
    "predicted_by": (str, "prediction.by"),
    "exact_s": (float, "prediction.exact_s"),
    "earliest_s": (float, "prediction.earliest_s"),
    "latest_s": (float, "prediction.latest_s"),
    "ambiguous": (bool, "prediction.ambiguous"),
    "agrees": (bool, "agrees"),
    "proved": (bool, "proof.holds"),
    "half_open": (bool, "proof.half_open"),
    "survivor_state": (str, "proof.survivor_state"),
    "peer": (str, "proof.peer"),
    "dropped_packets": (int, "proof.dropped_packets"),
    "probes_seen": (int, "proof.probes_seen"),
    "retransmissions_seen": (int, "proof.retransmissions_seen"),
}
_values = attrgetter(*(path for _, path in _PLAIN.values()))  # in one call: there may be 200,000 records

# ``counts``: of this trial's attempts, it is the one that is in the numbers.
COLUMNS: dict[str, Kind] = {
    "run": str,
    "cell": str,
    "counts": bool,
    **{name: kind for name, (kind, _) in _PLAIN.items()},
    "fault_options": str,
    "lab": str,
    "kernel": str,
    "hz": int,
    "warnings": str,
    "why": str,
}
_LAB = ("kind", "kernel", "hz")


def rows(folder: Path, records: Iterable[Record], attempts: bool = False) -> Iterator[tuple[Value, ...]]:
    """Return a row per trial, that of its standing record; with ``attempts`` one per record."""
    records = list(records)
    stand = standing(records)
    stands = {id(record) for record in stand}
    for record in records if attempts else stand:
        yield (
            folder.name,
            cell_text(record),
            record.flagged is None and id(record) in stands,
            *_values(record),
            msgspec.json.encode(record.fault.options).decode(),
            *(_plain(record.lab.get(name), COLUMNS["lab" if name == "kind" else name]) for name in _LAB),
            "; ".join(record.warnings),
            record.why,
        )


def _plain(value: object, kind: Kind) -> Value:
    """Return what a lab says of itself, which may be anything, as its column has it."""
    if kind is str:
        return None if value is None else str(value)
    return value if isinstance(value, int) else None
