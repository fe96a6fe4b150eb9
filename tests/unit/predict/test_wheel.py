"""The timer wheel: the lateness that was measured, and bounds that hold for every phase of the jiffy clock."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.predict.wheel import Wheel

HZ = st.sampled_from([100, 250, 300, 1000])
OFFSET = st.integers(0, 8**6)
LENGTH = st.integers(1, 4_000_000)


@pytest.mark.parametrize(
    ("seconds", "late_ms"),
    [(0.248, 4), (2.0, 32), (16.0, 256), (128.0, 2048), (1000.0, 16384), (7200.0, 131072)],
)
def test_lateness_at_250_hz_is_at_most_that_of_its_level(seconds: float, late_ms: int) -> None:
    # Measured on Linux 6.18, HZ=250.
    assert Wheel(250).granule(round(seconds * 250)) * 4 == late_ms


def test_a_level_begins_at_63_times_its_width() -> None:
    wheel = Wheel(250)
    assert [wheel.granule(ticks) for ticks in (62, 63, 503, 504, 4031, 4032)] == [1, 8, 8, 64, 64, 512]


@settings(max_examples=50)
@given(HZ, OFFSET, LENGTH, st.integers(0, 10**6), st.booleans())
def test_a_timer_is_never_early_and_late_by_one_bucket_at_most(
    hz: int, offset: int, ticks: int, start: int, fired: bool
) -> None:
    wheel = Wheel(hz, offset)
    due = wheel.arm(wheel.at((start + 0.5) / hz), ticks, fired=fired)
    assert 1 <= due.lo - start - ticks <= wheel.granule(ticks)
    assert due.lo == due.hi


@settings(max_examples=50)
@given(HZ, OFFSET, st.lists(LENGTH, min_size=1, max_size=6), st.integers(0, 10**6))
def test_the_bounds_of_a_chain_of_timers_hold_at_every_phase(
    hz: int, offset: int, chain: list[int], start: int
) -> None:
    known, unknown = Wheel(hz, offset), Wheel(hz)
    exact, bounds = known.at((start + 0.5) / hz), unknown.at((start + 0.5) / hz)
    for number, ticks in enumerate(chain):
        exact = known.arm(exact, ticks, fired=number > 0)
        bounds = unknown.arm(bounds, ticks, fired=number > 0)
        assert bounds.lo <= exact.lo <= bounds.hi
        assert bounds.since_lo <= exact.since_lo <= bounds.since_hi


@settings(max_examples=50)
@given(OFFSET, st.integers(64, 100_000), st.integers(0, 10**6))
def test_timers_on_one_grid_are_a_fixed_time_apart(offset: int, ticks: int, start: int) -> None:
    wheel = Wheel(250)
    first = wheel.arm(wheel.at(start / 250), ticks, fired=True)
    second = wheel.arm(first, ticks, fired=True)
    width = wheel.granule(ticks - 1)
    # Where a single tick is missing to the next bucket, a timer that ran a tick late finds the one after it.
    bucket = width if ticks % width == width - 1 else 0
    assert second.lo - first.lo == wheel.period(ticks)
    assert second.hi - first.hi == wheel.period(ticks) + bucket


@pytest.mark.parametrize(
    ("hz", "ms", "ticks"), [(250, 1, 1), (250, 1000, 250), (250, 1001, 251), (300, 1, 1), (100, 11, 2)]
)
def test_milliseconds_round_up_to_jiffies(hz: int, ms: int, ticks: int) -> None:
    assert Wheel(hz).from_ms(ms) == ticks


def test_an_instant_on_an_edge_belongs_to_the_tick_that_begins_there() -> None:
    wheel = Wheel(250)
    assert wheel.tick(0.3) == wheel.tick_from(0.3) == 75
    assert (wheel.tick(0.301), wheel.tick_from(0.301)) == (75, 76)


def test_a_timer_ran_a_tick_late_if_its_packet_was_seen_only_then() -> None:
    wheel = Wheel(250, 0, frozenset({101, 200, 201, 302}))
    due = [wheel.at(tick / 250) for tick in (100, 200, 300, 400)]
    # Seen a tick late; in time; two ticks late, which no CPU is; not at all.
    assert [wheel.ran(moment).lo for moment in due] == [101, 200, 300, 400]
    assert Wheel(250, None, wheel.sent).ran(due[0]) == due[0]


@pytest.mark.parametrize(("called_s", "age"), [(1.0, 1000), (1.0026, 998), (1.0039, 997)])
def test_an_age_that_counts_from_within_a_tick_is_in_milliseconds_of_the_clock(called_s: float, age: int) -> None:
    wheel = Wheel(250, 0)
    now = wheel.at(2.0, called_s)
    assert wheel.age_ms(now, called_s) == (age, age)
    rough = Wheel(250)
    least, most = rough.age_ms(rough.at(2.0, called_s), called_s)
    assert least <= age <= most
