"""The predictor against what was measured on Linux 6.18 (HZ=250, three namespaces, the fault in the router).

The measurements were made at unknown phases of the jiffy clock, so each has to lie within the predicted interval, give
or take the millisecond or the last digit to which it was written down; and the interval may not be wider than the timer
wheel makes it.
"""

import pytest

from harness.predict import Effect, Situation, predict
from harness.spec.settings import Settings

CUT = Effect(to_peer="drop", to_survivor="drop", peer="dead")
FULL = Effect(peer="full")


def keepalive(idle: int, interval: int, count: int, user_timeout_ms: int = 0, retries2: int = 15) -> Settings:
    return Settings(
        keepalive=True,
        idle_s=idle,
        interval_s=interval,
        count=count,
        user_timeout_ms=user_timeout_ms,
        retries2=retries2,
    )


def check(situation: Situation, measured: tuple[float, float], by: str, digit: float, widest: float) -> None:
    told = predict(situation)
    assert (told.verdict in ("detected", "mistaken"), told.by) == (True, by)
    assert told.earliest_s is not None
    assert told.latest_s is not None
    low, high = measured
    assert told.earliest_s - digit <= low <= high <= told.latest_s + digit
    assert told.latest_s - told.earliest_s <= widest


@pytest.mark.parametrize(
    ("settings", "measured", "digit", "widest"),
    [
        (keepalive(2, 1, 3), (5.08, 5.08), 0.005, 0.036),  # 4.771 + 0.31 s of silence
        (keepalive(1, 1, 3), (4.07, 4.07), 0.005, 0.06),
        (keepalive(30, 10, 3), (60.7, 62.8), 0.05, 2.1),
        (keepalive(7200, 75, 9), (7882, 8013), 0.5, 132),
    ],
)
def test_keepalive(settings: Settings, measured: tuple[float, float], digit: float, widest: float) -> None:
    check(Situation(settings=settings, effect=CUT), measured, "keepalive", digit, widest)


def test_the_first_probe_of_idle_20_is_21_to_2045_ms_late() -> None:
    told = predict(Situation(settings=keepalive(20, 10, 3), effect=CUT))
    probe = next(step for step in told.steps if step.what == "keepalive probe 1")
    assert probe.earliest_s is not None
    assert probe.latest_s is not None
    assert probe.earliest_s <= 20.021
    assert 22.045 <= probe.latest_s <= 22.052


@pytest.mark.parametrize(
    ("timeout_ms", "measured"),
    [(500, 3.04), (1000, 3.04), (3000, 3.04), (4000, 4.06), (5000, 5.08), (8000, 8.16), (20000, 20.45)],
)
def test_keepalive_with_user_timeout_ignores_the_count(timeout_ms: int, measured: float) -> None:
    check(
        Situation(settings=keepalive(2, 1, 3, timeout_ms), effect=CUT),
        (measured, measured),
        "user-timeout",
        0.05,
        0.04,
    )


@pytest.mark.parametrize(
    ("timeout_ms", "measured", "digit"),
    [
        (100, (0.52, 0.52), 0.005),
        (1000, (1.44, 1.44), 0.005),
        (3000, (3.42, 3.42), 0.005),
        (5000, (5.58, 5.58), 0.005),
        (10000, (10.5, 10.65), 0.05),
    ],
)
def test_unacknowledged_data_with_user_timeout(timeout_ms: int, measured: tuple[float, float], digit: float) -> None:
    situation = Situation(settings=Settings(user_timeout_ms=timeout_ms), traffic="write", effect=CUT)
    check(situation, measured, "user-timeout", digit, 0.3)


@pytest.mark.parametrize(
    ("retries", "rto_s", "rto_max_ms", "measured", "digit"),
    [
        (3, 0.204, 120_000, (6.7, 6.7), 0.05),
        (4, 0.204, 120_000, (6.75, 6.75), 0.005),
        (5, 0.204, 120_000, (13.4, 13.4), 0.05),
        (8, 0.204, 120_000, (107, 107), 0.5),
        (15, 0.204, 120_000, (938, 940), 0.5),
        (3, 0.212, 120_000, (3.47, 3.47), 0.005),
        (3, 0.204, 1000, (3.7, 3.7), 0.05),
        (5, 0.204, 1000, (5.8, 5.8), 0.05),
        (8, 0.204, 1000, (7.8, 8.8), 0.05),
    ],
)
def test_unacknowledged_data_without_user_timeout(
    retries: int, rto_s: float, rto_max_ms: int, measured: tuple[float, float], digit: float
) -> None:
    settings = Settings(retries2=retries, rto_max_ms=rto_max_ms)
    situation = Situation(settings=settings, traffic="write", effect=CUT, rto_s=rto_s)
    check(situation, measured, "retries", digit, 2.1)


def test_a_write_during_the_outage_postpones_detection() -> None:
    alone = Situation(settings=keepalive(1, 1, 3, retries2=5), effect=CUT)
    written = Situation(settings=keepalive(1, 1, 3, retries2=5), effect=CUT, unacked_at=2.5)
    check(alone, (4.07, 4.07), "keepalive", 0.005, 0.06)
    check(written, (15.9, 15.9), "retries", 0.05, 0.3)


@pytest.mark.parametrize(
    ("count", "measured", "digit"),
    [(1, (3.06, 3.06), 0.005), (2, (7.13, 7.13), 0.005), (3, (19.5, 19.5), 0.05), (6, (133.5, 135), 0.5)],
)
def test_connect(count: int, measured: tuple[float, float], digit: float) -> None:
    check(Situation(settings=Settings(syn_count=count), traffic="connect"), measured, "syn-retries", digit, 2.1)


def test_connect_with_user_timeout() -> None:
    settings = Settings(user_timeout_ms=2500)
    check(Situation(settings=settings, traffic="connect"), (2.53, 2.53), "user-timeout", 0.005, 0.07)


def test_user_timeout_kills_a_slow_reader() -> None:
    situation = Situation(settings=Settings(user_timeout_ms=3000), traffic="blocked", effect=FULL)
    check(situation, (3.21, 3.22), "user-timeout", 0.01, 0.05)
    assert predict(situation).verdict == "mistaken"


def test_rejected_data_dies_within_bounds_only() -> None:
    effect = Effect(to_peer="reject", to_survivor="drop")
    situation = Situation(settings=Settings(user_timeout_ms=3000), traffic="write", effect=effect)
    check(situation, (4.98, 4.98), "icmp", 0.005, 5)
    assert predict(situation).sign == "EHOSTUNREACH"
