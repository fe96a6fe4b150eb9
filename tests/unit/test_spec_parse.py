"""The parsers of values: what they take, and the one line with which they refuse."""

import pytest

from harness.errors import Refused
from harness.spec import parse


def refusal(parser, text):
    with pytest.raises(Refused) as refused:
        parser(text)
    line = str(refused.value)
    assert "\n" not in line and line.startswith("--x: ")
    return line


def test_whole_numbers():
    parser = parse.whole("--x", 1, 127)
    assert [parser(text) for text in ("1", "127", " 9 ", "007")] == [1, 127, 9, 7]
    for text in ("0", "128", "-1", "1.0", "", "nine", "1e1", "9" * 5000):
        assert "from 1 to 127" in refusal(parser, text)


def test_whole_seconds():
    parser = parse.whole_seconds("--x", 1, 32_767)
    assert [parser(text) for text in ("1", "2m", "1000ms", "32767", "9h")] == [1, 120, 1, 32_767, 32_400]
    for text in ("0", "32768", "1.5", "500ms", "10h", "9" * 400):
        assert "whole seconds from 1 to 32767" in refusal(parser, text)
    assert "is not a duration" in refusal(parser, "soon")


def test_milliseconds():
    parser = parse.milliseconds("--x", 0, 2_147_483_647)
    assert [parser(text) for text in ("0", "1ms", "500ms", "30", "2m")] == [0, 1, 500, 30_000, 120_000]
    assert parser("2147483647ms") == 2_147_483_647
    for text in ("2147483648ms", "0.5ms", "1000d", "9" * 400):
        assert "from 0ms to 2147483647ms" in refusal(parser, text)


@pytest.mark.parametrize("milliseconds", [1, 3, 7, 29, 999, 1001, 119_999, 123_456_789, 2_147_483_647])
def test_no_millisecond_is_lost_on_the_way_through_seconds(milliseconds):
    assert parse.milliseconds("--x", 0, 2_147_483_647)(f"{milliseconds}ms") == milliseconds


def test_durations():
    parser = parse.duration("--x", 0.01, 86_400)
    assert [parser(text) for text in ("10ms", "0.01", "1d", "86400")] == [0.01, 0.01, 86_400, 86_400]
    for text in ("9ms", "0", "86401", "9" * 400):
        assert "from 0.01 s to 86400 s" in refusal(parser, text)


def test_choices():
    parser = parse.choice("--x", "poll", "rcvtimeo")
    assert parser("poll") == "poll"
    for text in ("", "Poll", "pol", "poll,rcvtimeo"):
        assert refusal(parser, text).endswith("allowed: poll, rcvtimeo")


def test_percentages():
    parser = parse.percentage("--x")
    assert [parser(text) for text in ("100", "50%", "0.1", " 5 ")] == [100, 50, 0.1, 5]
    for text in ("0", "-1", "100.1", "nan", "inf", "half", ""):
        assert "more than 0 and at most 100" in refusal(parser, text)
