"""Parts of records, as an experiment makes them, for the tests of what judges, keeps and shows them."""

from harness.predict.situation import Prediction
from harness.spec.settings import Settings
from harness.verdict.record import Detection, FaultPart, Proof, Record


def prediction(**fields):
    usual = {
        "verdict": "detected",
        "sign": "ETIMEDOUT",
        "by": "keepalive",
        "earliest_s": 4.779,
        "latest_s": 4.807,
        "exact_s": 4.795,
        "why": "Three probes went unanswered.",
    }
    return Prediction(**{**usual, **fields})


def nothing(verdict="missed", **fields):
    """A prediction that nobody will notice."""
    return Prediction(verdict=verdict, why="No timer is armed.", **fields)


def detection(**fields):
    usual = {"verdict": "detected", "sign": "ETIMEDOUT", "by": "keepalive", "after_s": 4.7951, "call": "recv"}
    return Detection(**{**usual, **fields})


def proof(**fields):
    usual = {
        "half_open": True,
        "holds": True,
        "claim": "half-open",
        "survivor_state": "ESTABLISHED",
        "peer": "killed",
        "to_survivor_after_fault": 0,
        "dropped_packets": 8,
        "timer": "keepalive",
        "probes_seen": 3,
    }
    return Proof(**{**usual, **fields})


def record(**fields):
    usual = {
        "experiment": "crash-client",
        "trial": 0,
        "settings": Settings(keepalive=True, idle_s=2, interval_s=1, count=3),
        "traffic": "idle",
        "survivor": "server",
        "ipv": 4,
        "lab": {"kind": "fake", "kernel": "6.18", "hz": 250, "hosts": {}},
        "fault": FaultPart(kind="crash-client", where="router", quiet_s=0.2, uncertainty_s=0.0001),
        "detection": detection(),
        "prediction": prediction(),
        "agrees": True,
        "proof": proof(),
        "why": "The server noticed 4.8 s after the fault.",
    }
    return Record(**{**usual, **fields})
