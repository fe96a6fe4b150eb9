import pytest

from harness.errors import Refused
from harness.units import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30", 30.0),
        ("0.5", 0.5),
        (" 30 ", 30.0),
        ("500ms", 0.5),
        ("1ms", 0.001),
        ("2s", 2.0),
        ("2m", 120.0),
        ("1.5m", 90.0),
        ("1h30m", 5400.0),
        ("1d", 86_400.0),
        ("0", 0.0),
        ("2147483647ms", 2_147_483.647),
    ],
)
def test_durations_as_people_write_them(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "s", "-1", "1 h", "30x", "1h30", "30sec", "1e3", "nan", "inf", "٣x", "0x10", "1,5"]
)
def test_what_is_no_duration_is_refused_with_its_name_and_how_to_write_one(text):
    with pytest.raises(Refused) as refused:
        parse_duration(text, "--quiet")
    assert str(refused.value) == f"--quiet: {text!r} is not a duration; write 30, 500ms, 2m or 1h30m"
    assert refused.value.exit_code == 2


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0 ms"),
        (0.00025, "0.25 ms"),
        (0.35, "350 ms"),
        (0.9994, "999 ms"),
        (0.9995, "1 s"),
        (4.795, "4.79 s"),
        (61.93, "61.93 s"),
        (120.0, "120 s"),
        (600, "10 min"),
        (924.6, "15.4 min"),
        (3599, "1 h"),
        (7200, "2 h"),
        (7875, "2 h 11 min"),
        (90_000, "25 h"),
        (-5, "-5 s"),
    ],
)
def test_durations_for_people(seconds, text):
    assert format_duration(seconds) == text


@pytest.mark.parametrize("seconds", [1e-5, 3e-7])
def test_microseconds_are_written_without_an_exponent(seconds):
    assert "e" not in format_duration(seconds)
