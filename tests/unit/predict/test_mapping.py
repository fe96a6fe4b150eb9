"""A NAT that forgets: which probes and heartbeats hold its mapping, and what is seen where they do not."""

import pytest

from harness.predict import Kernel, Prediction, Situation, predict
from harness.predict.mapping import before_expiry_s, longest_pause_s
from harness.predict.situation import Effect
from harness.spec.settings import Settings

SILENT, RESET = Effect(to_peer="drop", to_survivor="drop"), Effect(to_peer="reset", to_survivor="drop")


def keepalive(idle: int, interval: int, **more: int) -> Settings:
    return Settings(keepalive=True, idle_s=idle, interval_s=interval, count=3, **more)


def told(chosen: Settings, heard_at: float, expires_at: float, effect: Effect = SILENT, **more: object) -> Prediction:
    """The fault is at 100; the last probe that was answered was heard at ``heard_at``."""
    return predict(
        Situation(
            settings=chosen, effect=effect, fault_at=100.0, armed_at=heard_at - 10, heard_at=heard_at,
            mapping_expires_at=expires_at, **more,  # type: ignore[arg-type] # by name
        )
    )  # fmt: skip


@pytest.mark.parametrize("offset", [None, 0, 12_345])
def test_a_first_probe_in_time_and_a_second_too_late(offset: int | None) -> None:
    # Idle 2 renews a mapping of 5 s, and the next probe comes an interval later: 5 s and what the wheel adds.
    found = told(keepalive(2, 5), 95.0, 100.0, kernel=Kernel(jiffy_offset=offset))
    assert (found.verdict, found.sign, found.by) == ("detected", "ETIMEDOUT", "keepalive")
    assert found.earliest_s is not None and found.latest_s is not None
    assert 15.0 < found.earliest_s < found.latest_s < 16.1


@pytest.mark.parametrize("offset", [None, 0, 12_345])
def test_a_first_probe_as_late_as_the_mapping_lasts_finds_it_gone(offset: int | None) -> None:
    at = {"armed_at": 97.001, "heard_at": 97.0, "mapping_expires_at": 100.0}
    kernel = Kernel(jiffy_offset=offset)
    found = predict(Situation(kernel=kernel, settings=keepalive(3, 1), effect=RESET, fault_at=100.0, **at))  # type: ignore[arg-type] # floats
    assert (found.verdict, found.sign) == ("detected", "ECONNRESET")
    assert found.latest_s is not None and found.latest_s < 0.3


def test_the_same_with_reset_ends_at_the_first_probe_that_is_lost() -> None:
    found = told(keepalive(2, 5), 95.0, 100.0, RESET)
    assert (found.verdict, found.sign) == ("detected", "ECONNRESET")
    assert found.latest_s is not None and 0 < found.latest_s < 0.3


def test_a_pause_shorter_than_the_timeout_holds_the_mapping_for_ever() -> None:
    assert told(keepalive(2, 5), 98.0, 128.0).verdict == "survived"
    assert told(keepalive(5, 2), 98.0, 105.0).verdict == "survived"


@pytest.mark.parametrize(("timeout", "verdict"), [(18, "detected"), (19, "survived")])
def test_the_wheel_s_stretch_decides_where_it_is_close(timeout: int, verdict: str) -> None:
    # At 250 Hz 17 s are 18.43 s once they are on the wheel's own grid.
    kernel = Kernel(jiffy_offset=4)
    assert told(keepalive(17, 17), 99.0, 99.0 + timeout, kernel=kernel).verdict == verdict


def test_a_write_while_the_mapping_lasts_gets_through_and_one_after_it_does_not() -> None:
    chosen = keepalive(20, 5, user_timeout_ms=10_000)
    held = told(chosen, 91.0, 121.0, traffic="write", unacked_at=100.003)
    assert held.verdict == "survived"
    lost = told(keepalive(40, 5), 70.0, 100.0, RESET, traffic="write", unacked_at=100.003)
    assert (lost.verdict, lost.sign, lost.earliest_s) == ("detected", "ECONNRESET", pytest.approx(0.003))


def test_heartbeats_hold_it_too() -> None:
    chosen = Settings(heartbeat_s=1.0)
    assert told(chosen, 99.0, 104.0, ping_at=100.5).verdict == "survived"
    assert told(chosen, 95.0, 100.0, ping_at=100.5).verdict == "detected"


def test_how_long_a_program_is_silent_and_how_long_its_mapping_lasts_from_the_opening() -> None:
    assert longest_pause_s(Settings()) is None
    assert longest_pause_s(keepalive(2, 5)) == pytest.approx(5.73, abs=0.01)
    assert longest_pause_s(Settings(heartbeat_s=1.5)) == 1.5
    assert before_expiry_s(Settings(), 5) == (5, False)
    assert before_expiry_s(keepalive(20, 5), 5) == (5, False)
    assert before_expiry_s(keepalive(1, 2), 5) == (5, True)
    lasts, held = before_expiry_s(keepalive(2, 5), 5)
    assert lasts == pytest.approx(7.3, abs=0.02) and not held
