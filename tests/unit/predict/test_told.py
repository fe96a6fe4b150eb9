"""What is told to people: the reason, the meaning of settings, and warnings."""

import pytest

from harness.predict import Effect, Kernel, Situation, meaning, predict
from harness.spec.settings import Settings

CUT = Effect(to_peer="drop", to_survivor="drop", peer="dead")


def test_defaults_that_stay_are_named_with_the_sum() -> None:
    (told,) = meaning(Settings(keepalive=True, idle_s=30))
    assert "30 + 9 x 75 = 705 s (11.8 min)" in told
    assert "--interval 10 --probes 3 would make it 60 s" in told


def test_settings_that_leave_no_default_are_only_added_up() -> None:
    (told,) = meaning(Settings(keepalive=True, idle_s=30, interval_s=10, count=3))
    assert told == "--keepalive 30 --interval 10 --probes 3 is 30 + 3 x 10 = 60 s."


def test_the_user_timeout_takes_the_place_of_the_count() -> None:
    (told,) = meaning(Settings(keepalive=True, idle_s=2, interval_s=1, count=3, user_timeout_ms=8000))
    assert "2 + 6 x 1 = 8 s" in told


@pytest.mark.parametrize(
    ("settings", "traffic", "effect", "part"),
    [
        (Settings(user_timeout_ms=3000), "idle", CUT, "never ends an idle connection"),
        (Settings(user_timeout_ms=3000), "blocked", CUT, "does not read"),
        (Settings(), "write", CUT, "924.6 s (15.4 min)"),
        (Settings(keepalive=True), "write", CUT, "Keepalive is silent while data is unacknowledged"),
        (Settings(), "connect", CUT, "127 s"),
        (Settings(read_deadline_s=5), "idle", CUT, "also ends a healthy connection"),
        (Settings(heartbeat_s=1), "idle", CUT, "2 s to 3 s after it has gone"),
        (Settings(), "idle", Effect(peer="hung"), "only a read deadline or a heartbeat"),
    ],
)
def test_meaning(settings: Settings, traffic: str, effect: Effect, part: str) -> None:
    assert any(part in sentence for sentence in meaning(settings, traffic, effect))


def test_the_reason_for_keepalive_has_its_arithmetic() -> None:
    settings = Settings(keepalive=True, idle_s=2, interval_s=1, count=3)
    told = predict(Situation(settings=settings, effect=CUT, fault_at=100.31, heard_at=100.0, armed_at=100.0))
    assert told.why.startswith(
        "Keepalive: idle 2 s, then 3 probes 1 s apart; the connection had been silent for 310 ms when the fault struck;"
    )
    assert "stretches 1 s to 1.024 s" in told.why


@pytest.mark.parametrize(
    ("version", "traffic", "commit", "warned"),
    [
        ("4.18.0", "write", "b701a99e431d", True),
        ("4.19.0", "write", "b701a99e431d", False),
        ("5.3.18-generic", "connect", "a66b10c05ee2", True),
        ("5.4.92", "blocked", "9d9b1ee0b2d1", True),
        ("5.4.93", "blocked", "9d9b1ee0b2d1", False),
        ("5.10.12", "blocked", "344db93ae3ee", True),
        ("5.10.13", "blocked", "344db93ae3ee", False),
        ("5.0", "blocked", "344db93ae3ee", False),
        ("6.6.40", "write", "97a9063518f1", True),
        ("6.6.41", "write", "97a9063518f1", False),
        ("6.7.1", "write", "97a9063518f1", True),
        ("6.18.44", "write", "97a9063518f1", False),
        ("6.6.40", "idle", "97a9063518f1", False),
    ],
)
def test_a_kernel_with_a_bug_is_named(version: str, traffic: str, commit: str, warned: bool) -> None:
    situation = Situation(
        kernel=Kernel(version=version),
        settings=Settings(user_timeout_ms=3000),
        traffic=traffic,  # type: ignore[arg-type] # from a table
        effect=CUT,
    )
    assert any(commit in warning for warning in predict(situation).warnings) == warned


def test_contradictions_are_warned_of() -> None:
    settings = Settings(keepalive=True, idle_s=2, interval_s=1, count=3, user_timeout_ms=3000)
    assert any("count of 3 meaningless" in text for text in predict(Situation(settings=settings)).warnings)
    silenced = Settings(keepalive=True, idle_s=2, interval_s=1, count=3)
    assert any(
        "keepalive is silent" in text for text in predict(Situation(settings=silenced, traffic="write")).warnings
    )


def test_a_strange_version_is_no_error() -> None:
    assert any("not understood" in text for text in predict(Situation(kernel=Kernel(version="next"))).warnings)
