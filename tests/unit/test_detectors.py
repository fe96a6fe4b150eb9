"""Detectors: the tables fit together, judging, and proof."""

import msgspec
import pytest
from cells import judge

from harness.detectors import all_detectors
from harness.detectors.base import Expect, verdict
from harness.detectors.bring import WAYS
from harness.detectors.proof import Seen, missing
from harness.detectors.record import Proof
from harness.detectors.states import ALL, STATES
from harness.detectors.surprises import SURPRISES
from harness.endpoints.checks import CHECKS

# -- the tables --------------------------------------------------------------------------------------------------------


def test_every_check_is_a_detector_and_every_state_can_be_brought_about():
    assert list(CHECKS) == list(all_detectors())
    assert list(WAYS) == list(STATES)


@pytest.mark.parametrize("detector", all_detectors().values(), ids=lambda detector: detector.name)
def test_a_detector_expects_something_in_every_state_once(detector):
    named = [state for expect in detector.expects for state in expect.states.split()]
    assert sorted(named) == sorted(STATES)
    assert all(expect.why for expect in detector.expects)


@pytest.mark.parametrize("detector", all_detectors().values(), ids=lambda detector: detector.name)
def test_an_expectation_can_be_had(detector):
    """No answer is a false alarm where the other end is gone."""
    for state in ALL:
        if not state.there:
            assert detector.expect(state.name).verdict != "wrong"


def test_surprises_point_at_cells():
    assert all(check in CHECKS and state in STATES for surprise in SURPRISES for check, state in surprise.cells)


@pytest.mark.parametrize(
    ("answer", "there", "wanted"),
    [
        ("alive", True, "right"),
        ("gone", True, "wrong"),
        ("unsure", True, "blind"),
        ("alive", False, "blind"),
        ("gone", False, "right"),
        ("unsure", False, "blind"),
    ],
)
def test_verdict(answer, there, wanted):
    assert verdict(answer, there) == wanted


# -- judging -----------------------------------------------------------------------------------------------------------


def test_a_cell_as_expected_agrees():
    cell = judge()
    assert (cell.verdict, cell.after_s, cell.differs, cell.agrees) == ("right", 2e-5, [], True)


@pytest.mark.parametrize(
    ("said", "differs"),
    [
        ({"answer": "alive"}, "blind (EOF), not right"),
        ({"after": 90_000_000}, "after 0.090 s, not 0 to 0.05 s"),
        ({"eaten": 1}, "eaten: 1, not 0"),
        ({"sent": 1}, "sent: 1, not 0"),
        ({"error_pending": True}, "swallowed: True, not False"),
    ],
)
def test_a_cell_that_differs_says_in_what(said, differs):
    cell = judge(**said)
    assert (cell.differs, cell.agrees) == ([differs], False)


def test_an_error_that_the_program_still_gets_is_not_swallowed():
    cell = judge(error_pending=True, then={"bytes": 0, "end": "ECONNRESET"})
    assert cell.cost is not None
    assert not cell.cost.swallowed


def test_too_early_is_not_as_expected():
    cell = judge(expect=Expect("fin", "right", "because", 0.5), after=400_000_000)
    assert cell.differs == ["after 0.400 s, not 0.5 to 0.55 s"]


def test_without_proof_a_cell_does_not_agree():
    assert not judge(proof=Proof(holds=False, missing="no FIN", seen=None)).agrees
    cell = judge("fin+data", Expect("fin+data", "right", "because"))
    assert (cell.agrees, cell.proof.missing) == (False, "0 bytes pending, not 5")


# -- proof -------------------------------------------------------------------------------------------------------------

QUIET = Seen(
    state="ESTABLISHED",
    timer="none",
    unread=0,
    unacked=0,
    retransmits=0,
    peer_state="ESTABLISHED",
    peer_unread=0,
    peer_owned=True,
    fins=0,
    rsts=0,
    window_closed=False,
    since_cut=None,
)


def seen(**fields):
    return msgspec.structs.replace(QUIET, **fields)


FIN = seen(state="CLOSE_WAIT", peer_state="FIN_WAIT2", fins=1, unread=1, peer_owned=False)
RST = seen(state="none", peer_state="none", rsts=1, peer_owned=False)
CUT = seen(peer_state="FIN_WAIT1", since_cut=0, peer_owned=False)
LOOKS = {
    "quiet": QUIET,
    "data": seen(unread=5),
    "half": msgspec.structs.replace(FIN, peer_owned=True),
    "zero": seen(timer="probe", peer_unread=9000, unacked=20_000, window_closed=True),
    "fin": FIN,
    "fin+data": msgspec.structs.replace(FIN, unread=6),
    "rst": RST,
    "rst+data": RST,
    "idle": CUT,
    "unacked": msgspec.structs.replace(CUT, unacked=1, retransmits=1, timer="retransmit"),
    "hung": QUIET,
}


@pytest.mark.parametrize("state", STATES)
def test_a_state_is_proved_by_its_own_look_and_by_no_other(state):
    same = {"quiet": {"hung"}, "hung": {"quiet"}, "rst": {"rst+data"}, "rst+data": {"rst"}}.get(state, set())
    assert {name for name, look in LOOKS.items() if missing(state, look) is None} == {state} | same


@pytest.mark.parametrize(
    ("state", "fields", "wanted"),
    [
        ("idle", {"since_cut": 1}, "1 segments got through"),
        ("unacked", {"retransmits": 0}, "nothing was sent again"),
        ("fin", {"rsts": 1}, "1 RST"),
        ("zero", {"timer": "none"}, "timer none, not probe"),
    ],
)
def test_what_is_missing_is_said(state, fields, wanted):
    assert missing(state, msgspec.structs.replace(LOOKS[state], **fields)) == wanted
