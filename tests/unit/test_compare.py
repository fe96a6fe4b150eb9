"""Two runs against each other: what must be found, and what must be passed over."""

from itertools import combinations, pairwise

import msgspec
import pytest
from examples import detection, nothing, prediction, proof
from nights import RECORDED, drawn, planted, recorded, trial

from harness.compare.compare import compare
from harness.verdict.record import Detection, FaultPart


def kinds(comparison):
    return [(change.cell, change.kind, change.effect) for change in comparison.changes]


def judged(before, after, **options):
    return kinds(compare(before, after, **options))


# What it is judged by.


@pytest.mark.slow
def test_recorded_runs_in_which_nothing_changed_are_silent():
    runs = [recorded(run) for run in range(8)]
    assert [judged(*pair) for pair in combinations(runs, 2)] == [[]] * 28


@pytest.mark.slow
@pytest.mark.parametrize(("repeats", "cells"), [(1, 200), (3, 70)])
def test_twenty_pairs_of_unchanged_runs_are_silent(repeats, cells):
    runs = [drawn(seed, cells, repeats) for seed in range(21)]
    assert [judged(*pair) for pair in pairwise(runs)] == [[]] * 20


@pytest.mark.slow
@pytest.mark.parametrize("repeats", [1, 3])
def test_a_change_of_5_percent_in_any_one_of_200_cells_is_found(repeats):
    before, after = drawn(1, repeats=repeats), drawn(2, repeats=repeats)
    for cell in range(0, 200, 23):
        found = judged(before, planted(after, f"cell {cell}"))
        assert (f"cell {cell}", "slower", "regression") in found
        assert {each[0] for each in found} == {f"cell {cell}"}


def test_a_change_of_5_percent_is_found_in_the_recorded_cells_that_take_two_seconds():
    before, after = recorded(0), recorded(1)
    for n, (exact, _) in list(enumerate(RECORDED))[::9]:
        if exact >= 2:
            assert (f"cell {n}", "slower", "regression") in judged(before, planted(after, f"cell {n}"))


def test_faster_is_an_improvement():
    found = judged(drawn(1), planted(drawn(2), "cell 7", 0.95))
    assert found == [("cell 7", "faster", "improvement")]


def test_many_cells_that_become_slower_together_are_no_noise():
    after = drawn(2)
    for cell in range(100):
        after = planted(after, f"cell {cell}")
    found = compare(drawn(1), after)
    assert {change.cell for change in found.regressions} == {f"cell {cell}" for cell in range(100)}


# The times.


def test_what_its_prediction_explains_is_no_change():
    found = compare([trial("a", 5.0)], [trial("a", 5.9)])
    assert found.changes == [] and found.explained == 1


def test_the_threshold_is_the_part_of_the_time_that_matters():
    before = [trial("a", 100.0, number=n) for n in range(3)]
    after = [trial("a", 100.0, error_s=1.0, number=n) for n in range(3)]
    assert judged(before, after) == [("a", "drift", "note")]
    assert judged(before, after, threshold=0.005) == [("a", "slower", "regression")]


def test_one_slow_trial_of_five_is_found():
    before = [trial("a", number=n) for n in range(5)]
    after = [trial("a", number=n, error_s=0.4 if n == 3 else 0.0002) for n in range(5)]
    found = compare(before, after)
    assert kinds(found) == [("a", "slower", "regression")]
    assert "in 1 of 5 trials" in found.changes[0].why


def test_one_trial_of_five_that_met_a_stall_of_the_machine_is_passed_over_and_two_are_not():
    def run(*errors):
        return [trial("a", 2.0, error, number) for number, error in enumerate(errors)]

    quiet = run(0.0, 0.0, 0.0, 0.0, 0.0)
    assert judged(quiet, run(0.0, 0.09, 0.0, 0.0, 0.0)) == []
    assert judged(quiet, run(0.0, 0.09, 0.0, 0.09, 0.0)) == [("a", "slower", "regression")]


def test_the_programs_own_lateness_is_no_change_of_the_time():
    late = trial("a", 2.0, error_s=0.11, late_s=0.105, said={"latest_s": 3.0})
    assert judged([trial("a", 2.0)], [late]) == []
    assert judged([trial("a", 2.0)], [msgspec.structs.replace(late, late_s=0.001)]) == [("a", "slower", "regression")]


def test_one_trial_is_enough_where_its_lateness_is_known():
    def run(error_s):
        return [trial("a", 1.0, error_s, late_s=0.0001)]

    assert judged(run(0.0), run(0.05)) == [("a", "slower", "regression")]


def test_three_trials_find_what_one_may_owe_to_a_stall():
    def run(error_s, repeats):
        return [trial("a", 1.0, error_s, number) for number in range(repeats)]

    assert judged(run(0.0, 1), run(0.05, 1)) == []
    assert judged(run(0.0, 3), run(0.05, 3)) == [("a", "slower", "regression")]


def test_a_cell_that_was_as_wide_before_is_passed_over():
    wide = [trial("a", number=n, error_s=0.2 if n == 3 else 0.0002) for n in range(5)]
    assert judged(wide, wide[::-1]) == []


def test_where_the_earlier_trial_was_too_close_to_call_it_is_taken_to_have_been_on_time():
    before = [trial("a", said={"ambiguous": True})]
    assert judged(before, [trial("a")]) == []
    assert judged(before, [trial("a", error_s=0.24)]) == [("a", "slower", "regression")]


def test_a_trial_that_is_too_close_to_call_is_not_compared():
    found = compare([trial("a")], [trial("a", error_s=0.24, said={"ambiguous": True})])
    assert found.changes == [] and found.interval == 1


def test_without_an_exact_prediction_the_interval_decides():
    def run(after_s):
        # As the program would have written it down, which is not believed.
        return [trial("a", detection=detection(after_s=after_s), prediction=prediction(exact_s=None))]

    assert judged(run(4.78), run(4.80)) == []
    assert judged(run(4.78), run(4.95)) == [("a", "disagrees", "regression")]
    assert judged(run(4.95), run(4.78)) == [("a", "agrees", "improvement")]


def test_a_time_that_is_out_of_its_interval_by_no_more_than_noise_is_a_busy_machines():
    late, later = (trial("a", error_s=error, said={"latest_s": 5.001}, agrees=False) for error in (0.025, 0.12))
    assert judged([trial("a")], [late]) == []
    assert judged([late], [trial("a")]) == []
    assert ("a", "disagrees", "regression") in judged([trial("a")], [later])


def test_a_living_connection_given_up_sooner_is_worse_off():
    def run(error_s):
        mistaken = detection(verdict="mistaken", after_s=5 + error_s)
        predicted = prediction(verdict="mistaken", earliest_s=4.5, exact_s=5.0, latest_s=5.5)
        return [trial("a", detection=mistaken, prediction=predicted)]

    assert judged(run(0.0), run(-0.3)) == [("a", "faster", "regression")]
    assert judged(run(0.0), run(0.3)) == [("a", "slower", "improvement")]


def test_when_data_flows_again_is_a_time_as_well():
    def run(at):
        said = nothing("survived", recovery_earliest_s=5.0, recovery_exact_s=5.2, recovery_latest_s=6.0)
        return [trial("a", detection=Detection(verdict="survived", recovered_after_s=at), prediction=said)]

    assert judged(run(5.201), run(5.6)) == [("a", "slower", "regression")]


def test_other_settings_on_the_socket_under_the_same_name():
    before, after = trial("a", 5.0), trial("a", 6.0)
    after.settings = msgspec.structs.replace(after.settings, interval_s=2)
    found = compare([before], [after])
    assert kinds(found) == [("a", "slower", "regression")]
    assert "interval_s 2, before 1" in found.changes[0].why
    assert judged([after], [before]) == [("a", "faster", "improvement")]
    unmoved = trial("a", 5.0, settings=after.settings)
    assert judged([before], [unmoved]) == [("a", "settings", "note")]


# Everything but the times.


def missed(**fields):
    return trial("a", detection=Detection(verdict="missed", watched_s=9.0), prediction=nothing(), **fields)


def test_what_is_newly_missed_is_a_regression_and_back_again_an_improvement():
    assert judged([trial("a")], [missed()]) == [("a", "missed", "regression")]
    assert judged([missed()], [trial("a")]) == [("a", "detected", "improvement")]
    assert judged([missed()], [missed()]) == []


def test_one_missed_trial_of_three_is_enough():
    after = [trial("a"), missed(number=1), trial("a", number=2)]
    found = compare([trial("a", number=n) for n in range(3)], after)
    assert kinds(found) == [("a", "missed", "regression")]
    assert found.changes[0].why == "1 of 3 trials missed; before, detected"


def test_what_no_longer_agrees_or_is_no_longer_proved():
    unproved = trial("a", proof=proof(holds=False, missing="the peer was serving"))
    assert judged([trial("a")], [trial("a", agrees=False)]) == [("a", "disagrees", "regression")]
    assert judged([trial("a", agrees=False)], [trial("a", agrees=False)]) == []
    assert judged([trial("a", agrees=False)], [trial("a")]) == [("a", "agrees", "improvement")]
    assert judged([trial("a")], [unproved]) == [("a", "unproved", "regression")]
    assert judged([unproved], [trial("a")]) == [("a", "proved", "improvement")]


def test_another_sign_at_the_same_time_is_noted():
    other = trial("a", detection=detection(sign="ENETUNREACH", after_s=5.0), said={"sign": "ENETUNREACH"})
    assert judged([trial("a")], [other]) == [("a", "sign", "note")]


def test_cells_added_gone_flagged_and_empty_are_named():
    before = [trial("a"), trial("gone"), trial("late")]
    after = [trial("a"), trial("added"), trial("late", flagged="41 ms late")]
    found = compare(before, after)
    assert (found.added, found.gone, found.flagged, found.empty) == (["added"], ["gone"], ["late"], ["late"])
    assert found.cells == 1 and found.changes == []


def test_a_flagged_attempt_does_not_count_and_its_second_does():
    late = trial("a", error_s=0.4, flagged="41 ms late")
    again = trial("a", attempt=1)
    assert judged([trial("a")], [late, again]) == []


def test_attempts_and_trials_that_came_in_any_order_are_the_same_run():
    before, after = drawn(1, cells=20, repeats=3), drawn(2, cells=20, repeats=3)
    after = planted(after, "cell 7")
    assert judged(before, after) == judged(before[::-1], after[::-1])


# Where chance decides.


def lossy(number, after_s):
    seen = detection(verdict="mistaken", after_s=after_s) if after_s else Detection(verdict="survived", watched_s=12.0)
    said = prediction(verdict="unknown", earliest_s=1.0, latest_s=None, exact_s=None)
    fault = FaultPart(kind="drop-packets", where="router", quiet_s=0.2, uncertainty_s=0.0)
    return trial("a", number=number, detection=seen, prediction=said, fault=fault)


def test_few_trials_of_chance_say_nothing():
    assert judged([lossy(n, 2.0) for n in range(3)], [lossy(n, 0) for n in range(3)]) == []


def test_many_trials_of_chance_do():
    spared = [lossy(n, 0) for n in range(12)]
    given_up = [lossy(n, 2.0 + n / 10) for n in range(12)]
    assert judged(spared, given_up) == [("a", "mistaken", "regression")]
    assert judged(given_up, spared) == [("a", "survived", "improvement")]
    later = [lossy(n, 6.0 + n / 10) for n in range(12)]
    assert judged(given_up, later) == [("a", "slower", "regression")]
    assert judged(given_up, given_up) == []
