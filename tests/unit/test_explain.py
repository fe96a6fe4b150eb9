import pytest
from examples import detection, nothing, prediction, proof, record

from harness.verdict.explain import explain
from harness.verdict.record import Detection


def test_a_detection_says_who_when_how_and_why_then():
    assert explain(record()) == (
        "The server noticed 4.8 s after the fault, by ETIMEDOUT (keepalive). Three probes went unanswered."
    )


@pytest.mark.parametrize(
    ("sign", "words"),
    [("EOF", "an end of file"), ("deadline", "its own deadline"), ("heartbeat", "missed heartbeats")],
)
def test_signs_that_are_no_errno_are_put_into_words(sign, words):
    assert f", by {words} (" in explain(record(detection=detection(sign=sign)))


def test_a_mistake_is_called_one():
    text = explain(record(detection=detection(verdict="mistaken")))
    assert "(keepalive), a mistake: the connection was alive." in text


def test_nothing_seen_because_nothing_is_armed():
    text = explain(record(detection=Detection(verdict="missed", watched_s=0.001), prediction=nothing()))
    assert text == "The server will never notice. No timer is armed."


def test_nothing_seen_for_as_long_as_was_watched():
    text = explain(record(detection=Detection(verdict="missed", watched_s=90.0), prediction=nothing()))
    assert text.startswith("The server noticed nothing in 90 s.")


def test_a_connection_that_was_kept_and_when_the_peer_was_heard_again():
    kept = record(detection=Detection(verdict="survived"), prediction=nothing("survived"))
    assert explain(kept).startswith("The server kept the connection.")
    kept.detection.recovered_after_s = 3.25
    assert " again after 3.25 s. " in explain(kept)


def test_where_the_sides_differ_both_are_shown():
    text = explain(record(agrees=False))
    assert "The server noticed 4.8 s after the fault" in text
    assert "The prediction was ETIMEDOUT between 4.78 s and 4.81 s (keepalive): a finding." in text


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (nothing(), "The prediction was missed: a finding."),
        (prediction(latest_s=None), "The prediction was ETIMEDOUT between 4.78 s and any time (keepalive): a finding."),
    ],
)
def test_a_prediction_without_an_interval_is_shown_too(said, words):
    assert words in explain(record(agrees=False, prediction=said))


def test_without_proof_there_is_no_measurement():
    text = explain(record(agrees=False, proof=proof(holds=False, missing="the peer was serving")))
    assert text.endswith("This is not a measurement: the peer was serving.")
    assert "finding" not in text
