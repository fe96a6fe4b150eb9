import pytest
from examples import detection, nothing, prediction

from harness.verdict import judge
from harness.verdict.record import Detection

MISSED = Detection(verdict="missed", watched_s=10.0)


def sign(**fields):
    return {"sign": "ETIMEDOUT", "call": "recv", "at": 104_795_000_000, "then": "EOF", **fields}


def test_a_sign_is_a_detection_on_the_clock_of_the_fault():
    found = judge.detected(sign(), fault_at=100.0, healthy=False, rst_at=104.7948)
    assert (found.verdict, found.sign, found.call, found.then) == ("detected", "ETIMEDOUT", "recv", "EOF")
    assert found.after_s == pytest.approx(4.795)
    assert found.kernel_after_s == pytest.approx(4.7948)


@pytest.mark.parametrize("own", ["deadline", "heartbeat"])
def test_a_program_that_gave_up_by_itself_is_not_judged_by_its_kernel(own):
    """The keepalive behind a read deadline dies too, 25 ms later, before the evidence is gathered."""
    assert judge.detected(sign(sign=own), 100.0, False, rst_at=104.825).kernel_after_s is None


def test_a_sign_on_a_connection_that_lives_is_a_mistake():
    assert judge.detected(sign(), 100.0, True, None).verdict == "mistaken"
    assert judge.detected(sign(), 100.0, True, None).kernel_after_s is None


@pytest.mark.parametrize(
    ("seen", "call", "said", "by"),
    [
        ("none", None, "keepalive", "none"),
        ("deadline", "recv", "keepalive", "read-deadline"),
        ("deadline", "send", "keepalive", "write-deadline"),
        ("heartbeat", "ping", "retries", "heartbeat"),
        ("EOF", "recv", "keepalive", "peer"),
        ("ECONNRESET", "recv", "keepalive", "peer"),
        ("EPIPE", "send", "keepalive", "peer"),
        ("ECONNREFUSED", "connect", "syn-retries", "peer"),
        ("EHOSTUNREACH", "recv", "retries", "icmp"),
        ("ENETUNREACH", "send", "retries", "icmp"),
        ("ETIMEDOUT", "recv", "keepalive", "keepalive"),
        ("ETIMEDOUT", "recv", "user-timeout", "user-timeout"),
        ("ETIMEDOUT", "send", "retries", "retries"),
        ("ETIMEDOUT", "send", "zero-window", "zero-window"),
        ("ETIMEDOUT", "connect", "none", "syn-retries"),
        ("ETIMEDOUT", "recv", "heartbeat", "unknown"),
        ("ETIMEDOUT", "recv", "none", "unknown"),
    ],
)
def test_who_it_was(seen, call, said, by):
    found = Detection(verdict="detected", sign=seen, call=call)
    assert judge.by(found, prediction(by=said), call) == by


def agrees(seen, said=None, uncertainty_s=0.0):
    return judge.agrees(seen, said or prediction(earliest_s=4.0, latest_s=5.0), uncertainty_s)


@pytest.mark.parametrize(
    ("after_s", "expected"),
    [(3.998, False), (3.9995, True), (4.0, True), (5.0, True), (5.0 + judge.WAKE_S - 1e-6, True), (5.021, False)],
)
def test_a_program_may_be_woken_late_but_not_early(after_s, expected):
    assert agrees(detection(after_s=after_s)) is expected


@pytest.mark.parametrize(("kernel_after_s", "expected"), [(3.998, False), (4.5, True), (5.0005, True), (5.002, False)])
def test_where_the_kernels_own_instant_was_seen_it_alone_is_judged(kernel_after_s, expected):
    assert agrees(detection(after_s=7.0, kernel_after_s=kernel_after_s)) is expected


def test_the_faults_own_uncertainty_widens_both_ends():
    assert not agrees(detection(after_s=3.9)) and agrees(detection(after_s=3.9), uncertainty_s=0.1)
    assert not agrees(detection(after_s=5.1)) and agrees(detection(after_s=5.1), uncertainty_s=0.1)


def test_another_sign_at_the_right_time_disagrees():
    assert not agrees(detection(after_s=4.5, sign="ECONNRESET"))


def test_another_verdict_disagrees_whatever_the_time():
    assert not agrees(detection(after_s=4.5, verdict="mistaken"))
    assert not agrees(MISSED)
    assert not agrees(detection(after_s=4.5), nothing())
    assert not agrees(Detection(verdict="survived"), nothing("missed"))


def test_to_see_nothing_agrees_with_never():
    assert agrees(MISSED, nothing("missed"))
    assert agrees(Detection(verdict="survived"), nothing("survived"))


def test_without_a_bound_any_later_time_agrees():
    open_ended = prediction(earliest_s=4.0, latest_s=None, exact_s=None)
    assert agrees(detection(after_s=1e6), open_ended)
    assert not agrees(detection(after_s=3.9), open_ended)


def test_where_chance_decides_either_outcome_agrees_but_not_at_any_time():
    chance = prediction(verdict="unknown", earliest_s=4.0, latest_s=5.0)
    assert agrees(Detection(verdict="survived"), chance)
    assert agrees(detection(verdict="mistaken", after_s=4.5), chance)
    assert not agrees(detection(verdict="mistaken", after_s=1.0), chance)


def test_recovery_is_judged_by_its_own_interval():
    said = nothing("survived", recovery_earliest_s=2.0, recovery_latest_s=3.0)

    def back(after_s):
        return Detection(verdict="survived", recovered_after_s=after_s)

    assert agrees(back(2.5), said) and agrees(back(3.0 + judge.WAKE_S - 1e-6), said)
    assert not agrees(back(1.9), said) and not agrees(back(3.1), said)
    assert agrees(back(None), said)


def test_where_chance_decides_between_two_signs_either_agrees():
    said = prediction(sign="ETIMEDOUT", other_sign="ENETUNREACH", by="retries", earliest_s=4.0, latest_s=5.0)
    for sign, expected in (("ETIMEDOUT", True), ("ENETUNREACH", True), ("EHOSTUNREACH", False)):
        seen = detection(sign=sign, after_s=4.5)
        assert agrees(seen, said) is expected
        assert judge.by(seen, said, "recv") == ("retries" if expected else "icmp")
