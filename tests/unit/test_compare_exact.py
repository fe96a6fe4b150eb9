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


def test_noise_is_at_least_two_ticks_and_at_most_these_and_a_late_wake():
    assert isclose(Noise([0.0001] * 100, 250).bound_s(), 2 / 250 + 0.001)
    assert isclose(Noise([0.3] * 100, 1000).bound_s(), 2 / 1000 + WAKE_S)


def test_of_few_errors_nothing_is_known_and_the_bound_is_the_largest():
    assert isclose(Noise([0.0001] * 3, 250).bound_s(), 2 / 250 + WAKE_S)


def test_a_cell_does_not_hide_its_own_change_as_noise():
    usual = [0.0002 + n / 1e6 for n in range(200)]
    changed = Noise([*usual, 0.0002, 0.4], 250)
    assert changed.bound_s() > changed.bound_s(without=(0.0002, 0.4))
    assert isclose(changed.bound_s(without=(0.0002, 0.4)), Noise(usual, 250).bound_s())
