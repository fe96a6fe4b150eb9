import random

import pytest

from harness.endpoints import jiffies
from harness.observe.jiffies import Hz, Jiffies, calibrate, discover, from_timer_list, from_times, tick_ns


class Machine:
    """A kernel's clocks: jiffies that tick ``late_ns`` late, times(2) made of them, and sleeps that overshoot."""

    def __init__(self, hz, start_ns, late_ns=20_000, overshoot_ns=80_000, busy_every=0):
        self.clock = Jiffies(hz, tick_ns(hz), 2**32 - 300 * hz - 62)
        self.now, self.late, self.overshoot, self.busy_every = start_ns, late_ns, overshoot_ns, busy_every
        self.random = random.Random(7)
        self.reads = 0

    def monotonic_ns(self):
        self.now += 150
        return self.now

    def elapsed(self):
        self.reads += 1
        if self.busy_every and self.reads % self.busy_every == 0:
            self.now += 3_000_000
        self.now += 300
        return self.clock.at(self.now - self.late) * self.clock.tick_ns // 10_000_000 / 100

    def sleep(self, seconds):
        assert seconds > 0
        self.now += round(seconds * 1e9) + self.random.randrange(self.overshoot)

    def calibrate(self):
        return from_times(self.clock.hz, self.elapsed, self.monotonic_ns, self.sleep)


@pytest.mark.parametrize("hz", [100, 250, 300, 1000])
@pytest.mark.parametrize("uptime_s", [3, 1_000, 5_000_000])
def test_steps_of_times_give_the_offset(hz, uptime_s):
    for phase in (0, 1_234_567, 7_777_777):
        machine = Machine(hz, uptime_s * 10**9 + phase)
        began = machine.now
        found = machine.calibrate()
        assert (found.offset, found.tick_ns) == (machine.clock.offset, machine.clock.tick_ns)
        assert machine.now - began <= 70_000_000


def test_a_busy_machine_takes_longer_and_gets_the_same():
    machine = Machine(250, 10**12, overshoot_ns=2_500_000, busy_every=5)
    assert machine.calibrate().offset == machine.clock.offset


def test_ticks_that_come_too_late_are_not_believed():
    machine = Machine(250, 10**12)

    def unsteady():
        # As if the tick had been missed for up to five jiffies, at random.
        machine.late = machine.random.randrange(20_000_000)
        return machine.elapsed()

    assert from_times(250, unsteady, machine.monotonic_ns, machine.sleep) is None


def test_the_wrong_hz_is_noticed():
    machine = Machine(250, 10**12)
    assert from_times(1000, machine.elapsed, machine.monotonic_ns, machine.sleep) is None


def test_a_clock_that_stands_still_ends_it():
    assert from_times(250, lambda: 5.0, lambda: 10**12, lambda seconds: None) is None


class TimerList:
    """Stands for /proc/timer_list on a machine whose counter is ``offset`` ahead."""

    def __init__(self, offset, skew_ns=0):
        self.offset, self.skew_ns = offset, skew_ns

    def read_text(self):
        now = jiffies.time.monotonic_ns()
        counter = now // 4_000_000 + self.offset
        return f"Timer List Version: v0.10\nnow at {now + self.skew_ns} nsecs\n\ncpu: 0\njiffies: {counter}\n"


def test_timer_list_gives_the_offset():
    assert from_timer_list(250, TimerList(4294892234)).offset == 4294892234


def test_the_timer_list_of_another_clock_is_refused():
    # A time namespace: the list shows the host's clock.
    assert from_timer_list(250, TimerList(1, skew_ns=10**12)) is None


def test_a_timer_list_that_cannot_be_read_is_no_error(tmp_path):
    assert from_timer_list(250, tmp_path / "timer_list") is None
    (tmp_path / "timer_list").write_text("something else\n")
    assert from_timer_list(250, tmp_path / "timer_list") is None


def test_both_methods_agree_on_this_machine():
    hz = discover().hz
    by_steps = from_times(hz)
    if by_steps is None:
        pytest.skip("this machine is too busy to calibrate")
    by_list = from_timer_list(hz)
    assert by_list is None or by_list.offset == by_steps.offset
    # The counter started at 2^32 - 300 HZ; the clock was running at most a minute before.
    assert 2**32 - 360 * hz <= by_steps.offset <= 2**32 - 300 * hz
    assert calibrate(hz) in (None, by_steps.offset_at(jiffies.time.monotonic_ns()))


@pytest.mark.parametrize("hz", [100, 250, 300, 1000])
def test_the_whole_offset_is_right_at_its_instant(hz):
    clock = Jiffies(hz, tick_ns(hz), 12345)
    for t_ns in (0, 999_999_999, 86_400 * 10**9 + 1, 10**16 + 3):
        assert t_ns * hz // 10**9 + clock.offset_at(t_ns) == clock.at(t_ns)


def test_the_whole_offset_drifts_at_300_hz_only():
    year = 31_536_000 * 10**9
    assert Jiffies(250, tick_ns(250), 7).offset_at(year) == 7
    assert Jiffies(300, tick_ns(300), 7).offset_at(year) == 7 + 31_536_000 // 33_333


def test_hz_comes_from_the_running_clock_first(monkeypatch):
    monkeypatch.setattr(jiffies.time, "clock_getres", lambda clock: 0.003333333)
    monkeypatch.setenv("HALFOPEN_HZ", "100")
    assert discover() == Hz(300, "resolution of CLOCK_MONOTONIC_COARSE")


def test_hz_may_come_from_the_configuration_or_the_user(monkeypatch):
    monkeypatch.setattr(jiffies.time, "clock_getres", lambda clock: 1e-9)
    monkeypatch.setattr(jiffies, "_configured", lambda: Hz(1000, "kernel configuration"))
    assert discover().hz == 1000
    monkeypatch.setattr(jiffies, "_configured", lambda: None)
    monkeypatch.setenv("HALFOPEN_HZ", "100")
    assert discover() == Hz(100, "stated in HALFOPEN_HZ")
    monkeypatch.setenv("HALFOPEN_HZ", "fast")
    assert discover().hz is None
    assert "HALFOPEN_HZ" in discover().how
