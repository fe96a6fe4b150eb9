"""The one sentence that explains the number, and both sides where they differ."""

from harness.units import format_duration
from harness.verdict.record import Record


def explain(record: Record) -> str:
    """Return one sentence (two where the sides differ): what was seen, when, and why then."""
    seen = _seen(record)
    if not record.proof.holds:
        return f"{seen} This is not a measurement: {record.proof.missing}."
    if not record.agrees:
        return f"{seen} The prediction was {_predicted(record)}: a finding. {record.prediction.why}".strip()
    if record.detection.sign == "none" and record.prediction.earliest_s is not None:
        return f"{seen} That is as predicted: {_predicted(record)}. {record.prediction.why}".strip()
    return f"{seen} {record.prediction.why}".strip()


def _seen(record: Record) -> str:
    detection, survivor = record.detection, record.survivor
    if detection.after_s is None:
        if detection.verdict == "survived":
            lag = detection.recovered_after_s
            back = "" if lag is None else f"; its data got through again after {format_duration(lag)}"
            return f"The {survivor} kept the connection{back}."
        watched = detection.watched_s or 0.0
        if watched < 0.5:
            return f"The {survivor} will never notice."
        return f"The {survivor} noticed nothing in {format_duration(watched)}."
    word = {"EOF": "an end of file", "deadline": "its own deadline", "heartbeat": "missed heartbeats"}.get(
        detection.sign, detection.sign
    )
    mistake = ", a mistake: the connection was alive" if detection.verdict == "mistaken" else ""
    return (
        f"The {survivor} noticed {format_duration(detection.after_s)} after the fault, by {word}"
        f" ({detection.by}){mistake}."
    )


def _predicted(record: Record) -> str:
    prediction = record.prediction
    if prediction.earliest_s is None:
        return prediction.verdict
    latest = "any time" if prediction.latest_s is None else format_duration(prediction.latest_s)
    return f"{prediction.sign} between {format_duration(prediction.earliest_s)} and {latest} ({prediction.by})"
