"""The predictor against the kernel: a sample of every kind of trial. ``tests/slow/agreement.py`` is the whole suite."""

import os

import pytest

from harness.verdict.record import Record
from tests.lab.cases import draw_trials
from tests.lab.together import run_together

_SEED = int(os.environ.get("HALFOPEN_SEED", "7"))
_COUNT = 66


@pytest.fixture(scope="module")
def records() -> list[Record]:
    return run_together(draw_trials(_SEED, _COUNT), within_s=100, labs=8)


def test_every_trial_is_proved(records: list[Record]) -> None:
    assert len(records) == _COUNT
    assert [r.why for r in records if not r.proof.holds] == []


def test_every_trial_is_as_predicted(records: list[Record]) -> None:
    assert [(r.trial, r.experiment, r.why) for r in records if not r.agrees] == []
