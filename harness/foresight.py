"""``invoke predict``: a prediction on the terminal or as JSON, for any kernel."""

import sys

import msgspec
from rich.console import Console

from harness.outlook import outlook
from harness.predict import meaning, predict
from harness.predict.situation import Kernel
from harness.report.timeline import show_timeline
from harness.spec.trial import Trial


def foresee(trial: Trial, hz: int, kernel: str, json: bool) -> None:
    """Print what ``trial`` would show on a kernel of that HZ and version."""
    situation = outlook(trial, Kernel(hz=hz, version=kernel))
    prediction = predict(situation)
    if json:
        record = {"settings": situation.settings, "traffic": trial.traffic, "prediction": prediction}
        sys.stdout.buffer.write(msgspec.json.encode(record) + b"\n")
        return
    show_timeline(prediction, meaning(situation.settings, trial.traffic, situation.effect), Console(highlight=False))
