"""The end of a run as it is printed, at 80 columns."""

import io

import pytest
from examples import detection, nothing, prediction, proof, record
from rich.console import Console

from harness.report import table
from harness.verdict.record import Detection


def shown(*records):
    out = io.StringIO()
    table.show(list(records), Console(file=out, width=80, highlight=False))
    return out.getvalue()


def words(text):
    return " ".join(text.split())


def test_one_trial_shows_both_sides_and_the_proof():
    text = words(shown(record()))
    assert "seen ETIMEDOUT by keepalive: 4.795 s after the fault" in text
    assert "predicted ETIMEDOUT by keepalive: 4.795 s, within 4.779 to 4.807 s" in text
    assert "agrees yes" in text
    assert "half-open proved: survivor ESTABLISHED, peer killed, 0 segments to the survivor, 8 dropped" in text
    assert text.endswith("The server noticed 4.8 s after the fault.")


def test_what_is_wrong_stands_out():
    text = words(shown(record(agrees=False, proof=proof(holds=False, missing="the peer was serving"))))
    assert "agrees NO" in text and "half-open NOT PROVED: the peer was serving" in text


def test_nothing_seen_and_nothing_expected():
    text = words(shown(record(detection=Detection(verdict="missed", watched_s=0.0), prediction=nothing())))
    assert "seen missed, watched for 0 ms" in text and "predicted never" in text
    lives = record(detection=Detection(verdict="survived", watched_s=2.0), prediction=nothing("survived"))
    assert "predicted nothing: the connection lives" in words(shown(lives))


def test_several_trials_are_rows_with_their_median():
    records = [record(trial=n, detection=detection(after_s=4.0 + n)) for n in range(3)]
    text = words(shown(*records))
    assert "1 ETIMEDOUT keepalive 4.000 s 4.795 s yes yes 2 ETIMEDOUT" in text
    assert "3 of 3 detected: median 5.000 s, from 4.000 s to 6.000 s (spread 2 s)" in text


def test_the_spread_counts_only_what_was_detected():
    missed = record(detection=Detection(verdict="missed"), prediction=nothing())
    assert table.spread([missed, missed]) == "2 trials, none detected"
    assert table.spread([missed, record()]).startswith("1 of 2 detected: median 4.795 s")
    row = words(shown(missed, missed))
    assert "1 missed none - never yes yes" in row


def test_the_same_sentence_is_said_once_and_every_odd_trials_own():
    odd = record(why="This one is odd.", agrees=False)
    warned = record(why="As expected.", warnings=["Beware."])
    text = shown(odd, warned, warned)
    assert text.count("This one is odd.") == text.count("As expected.") == text.count("Warning: Beware.") == 1


def test_no_records_print_nothing():
    assert shown() == ""


LONG = record(
    trial=99_999,
    detection=detection(by="user-timeout", after_s=7901.1234),
    prediction=prediction(by="user-timeout", earliest_s=7882.123, latest_s=8013.456, exact_s=None),
    proof=proof(survivor_state=None, dropped_packets=123_456, retransmissions_seen=1234, probes_seen=1234),
    agrees=False,
    why="Short.",
)


@pytest.mark.parametrize("count", [1, 2])
def test_even_long_rows_fit_eighty_columns_and_lose_nothing(count):
    text = shown(*[LONG] * count)
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    assert "user-timeout" in text and "7901.123 s" in text and "NO" in text
    assert "7882.12" in text and "8013.4" in text


@pytest.mark.parametrize(
    ("said", "line"),
    [
        (prediction(), "ETIMEDOUT by keepalive: 4.795 s, within 4.779 to 4.807 s"),
        (prediction(exact_s=None), "ETIMEDOUT by keepalive: within 4.779 to 4.807 s"),
        (prediction(exact_s=None, latest_s=None), "ETIMEDOUT by keepalive: within 4.779 to later"),
        (prediction(ambiguous=True), "ETIMEDOUT by keepalive: 4.795 s, within 4.779 to 4.807 s, ambiguous"),
        (nothing("unknown"), "unknown"),
    ],
)
def test_a_prediction_in_one_line(said, line):
    assert table.predicted(said) == line
