"""Runs as if they had been measured, for the tests of comparisons: with the errors of eight real runs.

``recorded_errors.json``: of 137 cells the exact prediction (s) and the errors of one trial in each of eight runs of the
same cells (us), Linux 6.18, HZ=250, two CPUs that others used as well.
"""

import json
import random
from pathlib import Path

from examples import detection, prediction, record

RECORDED = json.loads((Path(__file__).parent / "recorded_errors.json").read_text())


def trial(cell, exact_s=5.0, error_s=0.0002, number=0, said=None, **fields):
    """A trial of a cell with an exact prediction, as far from it as is said; ``said``: more of the prediction."""
    usual = {"exact_s": exact_s, "earliest_s": 0.9 * exact_s, "latest_s": 1.1 * exact_s}
    predicted = prediction(**{**usual, **(said or {})})
    usual = {"detection": detection(after_s=exact_s + error_s), "prediction": predicted}
    return record(cell=cell, trial=number, **{**usual, **fields})


def recorded(run):
    """One of the eight runs."""
    return [trial(f"cell {n}", exact, errors[run] / 1e6) for n, (exact, errors) in enumerate(RECORDED)]


def drawn(seed, cells=200, repeats=1):
    """A run with errors drawn from the recorded ones, each cell with its own time, and its phase new in every run."""
    chance = random.Random(seed)
    errors = [error / 1e6 for _, errors in RECORDED for error in errors]
    return [
        trial(f"cell {cell}", 2 + cell % 40 + chance.random() / 4, chance.choice(errors), repeats * cell + n)
        for cell in range(cells)
        for n in range(repeats)
    ]


def planted(run, cell, factor=1.05):
    """The run with a cell that takes longer."""
    return [_longer(each, factor) if each.cell == cell else each for each in run]


def _longer(one, factor):
    return trial(one.cell, one.prediction.exact_s, one.detection.after_s * factor - one.prediction.exact_s, one.trial)
