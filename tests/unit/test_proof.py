"""For every claim: evidence that shows it, and each way in which evidence can fail to."""

from typing import get_args

import msgspec
import pytest

from harness.faults.base import Claim
from harness.labs.protocols import SocketSeen
from harness.scene.survey import Evidence
from harness.verdict.proof import prove

ALIVE = SocketSeen(state="ESTABLISHED", timer="keepalive")
CONNECTING = SocketSeen(state="SYN_SENT", timer="retransmit")
DEAD = SocketSeen(state="CLOSE", timer="none")

SHOWN = {
    "half-open": Evidence(survivor=ALIVE, peer="killed", dropped=3, probes=3),
    "hung": Evidence(survivor=ALIVE, peer="stopped", peer_socket=ALIVE, to_survivor=4),
    "vanished": Evidence(survivor=ALIVE, peer="vanished", to_survivor=1, rst_to_survivor=1),
    "forgotten": Evidence(survivor=ALIVE, peer="cut off", mapping=False, to_survivor=1, rst_to_survivor=1),
    "one-way": Evidence(survivor=ALIVE, peer="cut off", peer_socket=ALIVE, from_survivor=2, dropped=2),
    "lossy": Evidence(survivor=ALIVE, peer_socket=ALIVE, dropped=7, to_survivor=9),
    "outage": Evidence(survivor=ALIVE, peer_socket=ALIVE, to_survivor=2),
    "closed": Evidence(survivor=DEAD, peer="killed", goodbye=True),
    "healthy": Evidence(survivor=ALIVE, peer="serving", peer_socket=ALIVE, to_survivor=5),
    "unanswered": Evidence(survivor=CONNECTING, dropped=5),
}

LACKING = [
    ("half-open", {"peer": "serving"}, "the peer was serving"),
    ("half-open", {"to_survivor": 1}, "1 segments reached the survivor"),
    ("half-open", {"to_survivor": 3, "icmp_to_survivor": 2}, "1 segments reached the survivor"),
    ("hung", {"peer": "serving"}, "not seen to stop"),
    ("hung", {"peer_socket": None}, "the peer's socket was gone"),
    ("vanished", {"peer_socket": ALIVE}, "the peer still had a socket (ESTABLISHED)"),
    ("forgotten", {"mapping": None}, "not asked for its mapping"),
    ("forgotten", {"to_survivor": 2}, "something reached the survivor"),
    ("one-way", {"dropped": 0}, "nothing was dropped"),
    ("closed", {"goodbye": False}, "neither FIN nor RST"),
    ("healthy", {"dropped": 2}, "2 packets were dropped"),
    ("unanswered", {"survivor": ALIVE}, "not in SYN_SENT"),
    ("unanswered", {"survivor": None}, "not in SYN_SENT"),
    ("unanswered", {"to_survivor": 1}, "something answered"),
]


def but(claim, **fields):
    return prove(claim, msgspec.structs.replace(SHOWN[claim], **fields))


def test_every_claim_is_tried():
    assert set(SHOWN) == set(get_args(Claim))


@pytest.mark.parametrize("claim", SHOWN)
def test_what_is_shown_holds(claim):
    proof = but(claim)
    assert proof.holds and proof.missing is None and proof.claim == claim


@pytest.mark.parametrize(("claim", "fields", "missing"), LACKING)
def test_what_is_not_shown_does_not_hold_and_is_named(claim, fields, missing):
    proof = but(claim, **fields)
    assert not proof.holds and not proof.half_open
    assert missing in proof.missing


@pytest.mark.parametrize("claim", sorted(set(SHOWN) - {"closed", "unanswered"}))
def test_the_survivor_must_have_been_established(claim):
    assert but(claim, survivor=None).missing == "the survivor's socket was gone right after the fault"
    assert "was CLOSE after the fault, not ESTABLISHED" in but(claim, survivor=DEAD).missing


@pytest.mark.parametrize("claim", SHOWN)
def test_a_capture_with_holes_proves_nothing(claim):
    proof = but(claim, capture_complete=False)
    assert not proof.holds and "capture lost packets" in proof.missing


def test_only_a_connection_whose_other_end_is_gone_is_half_open():
    half_open = {claim for claim in SHOWN if but(claim).half_open}
    assert half_open == {"half-open", "vanished", "forgotten"}


def test_a_mapping_that_is_still_held_is_no_half_open_connection():
    proof = but("forgotten", mapping=True, to_survivor=4)
    assert proof.holds and not proof.half_open


def test_icmp_alone_does_not_spoil_a_proof():
    assert but("half-open", to_survivor=2, icmp_to_survivor=2).holds
    assert but("unanswered", to_survivor=2, icmp_to_survivor=2).holds


def test_the_numbers_are_carried_over():
    proof = but("half-open", retransmissions=2, peer_socket=DEAD)
    assert (proof.dropped_packets, proof.probes_seen, proof.retransmissions_seen) == (3, 3, 2)
    assert (proof.survivor_state, proof.timer, proof.peer_state) == ("ESTABLISHED", "keepalive", "CLOSE")


def test_a_socket_that_icmp_took_away_at_once_did_get_no_answer():
    refused = but("unanswered", survivor=None, to_survivor=1, icmp_to_survivor=1)
    assert refused.holds
    answered = but("unanswered", survivor=None, to_survivor=2, icmp_to_survivor=1)
    assert answered.missing == "something answered"
