"""The exact tests, against figures that are known, and against each other."""

from itertools import combinations
from math import comb, isclose

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.compare.exact import holm, ranks, shares
from harness.compare.noise import Noise
from harness.verdict.judge import WAKE_S


def test_fishers_tea():
    # The lady tasting tea: 3 of 4 right on each side, two-sided 34/70; all right 2/70 (Fisher, 1935).
    assert isclose(shares(3, 4, 1, 4), 34 / 70)
    assert isclose(shares(4, 4, 0, 4), 2 / 70)
    assert shares(2, 4, 2, 4) == 1.0


@pytest.mark.parametrize("many", [3, 5, 10])
def test_two_samples_that_do_not_overlap(many):
    low, high = list(range(many)), list(range(100, 100 + many))
    assert isclose(ranks(low, high), 2 / comb(2 * many, many))
    assert isclose(ranks(high, low), 2 / comb(2 * many, many))


def test_ties_are_no_difference():
    assert ranks([1, 1, 1], [1, 1]) == 1.0
    assert ranks([], [1.0]) == 1.0


def by_hand(first, second):
    """Every way of dividing the values among the two, ranked by counting."""
    values = [*first, *second]
    rank = [sum(other < each for other in values) + sum(other <= each for other in values) for each in values]
    middle = len(first) * (sum(rank) / len(rank))
    far = [abs(sum(rank[i] for i in each) - middle) for each in combinations(range(len(values)), len(first))]
    return sum(each >= far[0] - 1e-9 for each in far) / len(far)


few = st.lists(st.integers(0, 6), min_size=1, max_size=5)


@given(few, few)
def test_ranks_are_what_counting_by_hand_gives(first, second):
    assert isclose(ranks(first, second), by_hand(first, second))


@given(few, few)
def test_a_probability_is_the_same_from_either_side(first, second):
    assert isclose(ranks(first, second), ranks(second, first))
    assert 0 < ranks(first, second) <= 1


def test_hundreds_of_values_are_still_counted():
    assert ranks(list(range(400)), list(range(1000, 1400))) < 1e-10


def test_holm_is_stricter_the_more_is_asked():
    assert holm([0.01], 0.05) == [True]
    assert holm([0.01, 0.9, 0.9, 0.9, 0.9, 0.9], 0.05) == [False] * 6
    # 0.01 < 0.05/3, then 0.02 < 0.05/2, then 0.06 > 0.05.
    assert holm([0.06, 0.01, 0.02], 0.05) == [False, True, True]
    assert holm([], 0.05) == []


def bound(errors, shifts=(), hz=250, without=(), **options):
    return Noise(errors, shifts, hz).bound_s(without, **options)


USUAL = [0.0002 + n / 1e6 for n in range(200)]


def test_noise_is_at_least_two_ticks_and_a_millisecond():
    assert isclose(bound([0.0001] * 100), 2 / 250 + 0.001)
    assert isclose(bound([0.0001] * 100, hz=1000), 2 / 1000 + 0.001)


def test_of_few_errors_nothing_is_known():
    assert isclose(bound([0.0001] * 3), 2 / 250 + WAKE_S)
    assert isclose(bound([]), 2 / 250 + WAKE_S)


def test_the_noisier_the_runs_the_further_the_bound_and_never_nearer_than_what_was_seen():
    busy = [*USUAL, *(n / 1000 for n in range(5, 45))]
    assert bound(USUAL) < max(busy) < bound(busy) <= 0.1


def test_what_is_a_tenth_of_a_second_late_is_no_noise():
    assert isclose(bound([*USUAL, 0.3, 0.5, 2.0]), bound(USUAL))


def test_many_cells_that_moved_together_are_no_noise():
    busy = [*USUAL, *(n / 1000 for n in range(5, 75))]
    assert bound(busy, shifts=[0.0] * 100) > 2 / 250 + WAKE_S
    assert isclose(bound(busy, shifts=[0.05] * 6 + [0.0] * 94), 2 / 250 + WAKE_S)


def test_a_cell_does_not_hide_its_own_change_as_noise():
    changed = [*USUAL, 0.0002, 0.09]
    assert bound(changed) > bound(changed, without=(0.0002, 0.09))
    assert isclose(bound(changed, without=(0.0002, 0.09)), bound(USUAL))


def test_of_fewer_than_three_trials_one_may_have_met_a_stall_of_the_machine():
    assert bound(USUAL, steady=False) == 0.07 > bound(USUAL)
