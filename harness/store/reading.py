"""What a run's folder holds, read with patience.

A last line that a kill cut short is passed over and counted; fields of a newer version are ignored; fields that an
older one did not write get the values that mean "not known". What another command kept (endings, detectors, the pool)
is returned as it is: those records have shapes of their own.
"""

from pathlib import Path
from typing import Any

import msgspec

from harness.errors import Refused
from harness.predict.situation import Prediction
from harness.spec.settings import Settings
from harness.store.find import RECORDS
from harness.verdict.record import Detection, FaultPart, Proof, Record

_DECODER = msgspec.json.Decoder(Record)
_PARTS: dict[str, type[msgspec.Struct]] = {
    "settings": Settings,
    "fault": FaultPart,
    "detection": Detection,
    "prediction": Prediction,
    "proof": Proof,
}
# What a record must have to be one of a trial; the rest can be filled in.
_NEEDED = ("experiment", "trial", "detection")
_UNKNOWN: dict[str, dict[str, Any]] = {
    "": {"traffic": "unknown", "survivor": "unknown", "ipv": 0, "lab": {}, "agrees": False},
    "fault": {"kind": "unknown", "where": "unknown", "quiet_s": None, "uncertainty_s": 0.0},
    "detection": {"verdict": "unknown"},
    "prediction": {"verdict": "unknown"},
    "proof": {
        "half_open": False,
        "holds": False,
        "claim": "unknown",
        "survivor_state": None,
        "peer": "unknown",
        "to_survivor_after_fault": 0,
        "dropped_packets": 0,
        "timer": None,
        "probes_seen": 0,
    },
}


class Content(msgspec.Struct):
    """``records``: of trials. ``others``: objects of other shapes. ``unreadable``: lines that are no record at all."""

    records: list[Record]
    others: list[dict[str, Any]]
    unreadable: int = 0


def read(folder: Path) -> Content:
    """Return what records.jsonl holds. Raises Refused where it cannot be read."""
    try:
        data = (folder / RECORDS).read_bytes()
    except OSError as error:
        raise Refused(f"{folder} cannot be read ({error.strerror})") from None
    return parse(data)


def parse(data: bytes) -> Content:
    """Return what the text of a records.jsonl holds."""
    found = Content([], [])
    for line in data.split(b"\n"):
        if not line.strip():
            continue
        try:
            found.records.append(_DECODER.decode(line))
        except msgspec.MsgspecError:
            _patiently(line, found)
        except (UnicodeDecodeError, RecursionError):
            found.unreadable += 1
    return found


def _patiently(line: bytes, found: Content) -> None:
    """Take in a line that is no record as this version writes them."""
    try:
        fields = msgspec.json.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        found.unreadable += 1
        return
    if not isinstance(fields, dict):
        found.unreadable += 1
    elif not all(name in fields for name in _NEEDED):
        found.others.append(fields)
    else:
        try:
            found.records.append(msgspec.convert(_filled(fields), Record))
        except msgspec.ValidationError:
            found.unreadable += 1


def _filled(fields: dict[str, Any]) -> dict[str, Any]:
    """Return ``fields`` with what is missing filled in, and without what this version cannot understand."""
    whole = {**_UNKNOWN[""], "prediction": {}, **fields}
    for name, kind in _PARTS.items():
        given = whole.get(name)
        filled = {**_UNKNOWN.get(name, {}), **(given if isinstance(given, dict) else {})}
        whole[name] = _understood(filled, kind, _UNKNOWN.get(name, {}))
    whole.setdefault("agrees", False)
    return whole


def _understood(fields: dict[str, Any], kind: type[msgspec.Struct], unknown: dict[str, Any]) -> dict[str, Any]:
    """Return the fields whose values this version takes: a verdict that only a newer one knows is unknown here."""
    kept = {}
    for field in msgspec.structs.fields(kind):
        if field.name not in fields:
            continue
        try:
            msgspec.convert(fields[field.name], field.type)
        except msgspec.ValidationError:
            if field.name in unknown:
                kept[field.name] = unknown[field.name]
        else:
            kept[field.name] = fields[field.name]
    return kept
