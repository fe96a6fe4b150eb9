import msgspec
import pytest
from examples import detection, nothing, prediction, proof, record
from stored import trial

from harness.store.cells import cells, grouped, standing


def test_the_repeats_of_a_cell_are_one_cell_with_every_point():
    (cell,) = cells([trial(0, 4.9), trial(1, 4.7), trial(2, 4.8)])
    assert (cell.trials, cell.detected, cell.flagged) == (3, 3, 0)
    assert (cell.numbers, cell.after_s) == ([0, 1, 2], [4.9, 4.7, 4.8])
    assert (cell.min_s, cell.median_s, cell.max_s) == (4.7, 4.8, 4.9)
    assert cell.errors_s == pytest.approx([0.105, -0.095, 0.005])  # examples.prediction: exact is 4.795 s
    assert cell.agrees and cell.proved


def test_cells_are_told_apart_by_their_text_and_keep_their_order():
    found = cells([trial(0, cell="b"), trial(1, cell="a"), trial(2, cell="b")])
    assert [(cell.cell, cell.trials) for cell in found] == [("b", 2), ("a", 1)]


def test_records_without_a_cell_are_told_apart_by_what_was_run():
    other = msgspec.structs.replace(record().settings, idle_s=9)
    found = cells([record(trial=0), record(trial=1), record(trial=2, settings=other), record(trial=3, ipv=6)])
    assert [cell.trials for cell in found] == [2, 1, 1]
    assert (
        found[0].cell == "crash-client keepalive=True idle_s=2 interval_s=1 count=3 traffic=idle survivor=server ipv=4"
    )


@pytest.mark.parametrize(
    ("attempts", "counts"),
    [
        ([(0, None)], 0),
        ([(0, "late"), (1, None)], 1),
        ([(0, None), (1, "late")], 0),  # one that is flagged never takes the place of one that counts
        ([(0, None), (1, None)], 1),
        ([(1, None), (0, None)], 1),
        ([(0, "late"), (1, "late")], None),
    ],
)
def test_of_a_trials_attempts_the_last_that_is_not_flagged_counts(attempts, counts):
    found = [trial(0, 4.0 + attempt, attempt=attempt, flagged=flagged) for attempt, flagged in attempts]
    (cell,) = cells(found)
    if counts is None:
        assert (cell.trials, cell.flagged, cell.after_s, cell.median_s, cell.agrees) == (0, 1, [], None, False)
        assert standing(found)[0].attempt == 1
    else:
        assert (cell.trials, cell.flagged, cell.after_s) == (1, 0, [4.0 + counts])


def test_what_was_not_detected_has_no_point_but_how_long_it_was_watched():
    missed = record(
        trial=1, cell="c", detection=detection(verdict="missed", sign="none", by="none", after_s=None, watched_s=9.0)
    )
    (cell,) = cells([trial(0, 4.8, cell="c"), missed])
    assert (cell.verdicts, cell.after_s, cell.watched_s) == ({"detected": 1, "missed": 1}, [4.8], [9.0])
    assert cell.missed == 1 and cell.mistaken == 0


def test_a_prediction_without_bound_leaves_the_cell_without_one():
    (cell,) = cells([trial(0, prediction=prediction(latest_s=None, exact_s=None)), trial(1)])
    assert (cell.earliest_s, cell.latest_s, cell.exact_s) == (4.779, None, 4.795)
    (never,) = cells([trial(0, prediction=nothing())])
    assert (never.earliest_s, never.latest_s, never.predicted, never.errors_s) == (None, None, "missed", [])


def test_one_trial_that_is_not_as_predicted_or_not_proved_is_enough():
    (cell,) = cells([trial(0), trial(1, agrees=False), trial(2, proof=proof(holds=False))])
    assert (cell.agrees, cell.disagree, cell.proved, cell.unproved) == (False, 1, False, 1)


def test_the_records_of_each_cell_can_be_had():
    found = [trial(0, cell="a"), trial(1, cell="b"), trial(0, cell="a", attempt=1)]
    assert grouped(found) == {"a": [found[2]], "b": [found[1]]}
