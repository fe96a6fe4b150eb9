"""Records of whole runs, made up as a sweep would leave them, for the tests of the reports."""

from datetime import UTC, datetime
from itertools import product
from pathlib import Path

import msgspec

from harness.predict.situation import Prediction, Step
from harness.report.facts import Facts, gather
from harness.spec.settings import Settings
from harness.verdict.record import Detection, FaultPart, Proof, Record

BEGAN = datetime(2026, 11, 21, 3, 4, 5, tzinfo=UTC)
MACHINE = {"kernel": "6.18", "hz": 250, "cpus": 2, "python": "3.11", "sysctls": {"net.ipv4.tcp_retries2": "15"}}
# What somebody might try to get into a page through a name.
EVIL = "</script><script>document.title='owned'</script><img src=x onerror=alert(1)>\"'&\x07"


def record(number=0, *, fault="crash-client", idle=5, interval=1, probes=3, exact=8.0, off=0.0003, **fields):
    """A trial of keepalive that was detected ``off`` seconds after its exact prediction."""
    steps = [
        Step(at_s=exact - interval * (probes - i), what=f"keepalive probe {i + 1}") for i in range(probes) if exact > 0
    ]
    cell = f"{fault} keepalive={idle} interval={interval} probes={probes} traffic=idle survivor=server ipv=4"
    usual = {
        "experiment": fault,
        "trial": number,
        "settings": Settings(keepalive=True, idle_s=idle, interval_s=interval, count=probes),
        "traffic": "idle",
        "survivor": "server",
        "ipv": 4,
        "lab": {"kind": "netns", "kernel": "6.18", "hz": 250, "hosts": {}},
        "fault": FaultPart(kind=fault, where="router", quiet_s=0.2, uncertainty_s=0.0001),
        "detection": Detection(verdict="detected", sign="ETIMEDOUT", by="keepalive", after_s=exact + off),
        "prediction": Prediction(
            verdict="detected",
            sign="ETIMEDOUT",
            by="keepalive",
            earliest_s=exact - 0.03,
            latest_s=exact + 0.004,
            exact_s=exact,
            why="Three probes went unanswered.",
            steps=[*steps, Step(at_s=exact, what="ETIMEDOUT (keepalive)")],
        ),
        "agrees": True,
        "proof": Proof(
            half_open=True,
            holds=True,
            claim="half-open",
            survivor_state="ESTABLISHED",
            peer="killed",
            to_survivor_after_fault=0,
            dropped_packets=3,
            timer="keepalive",
            probes_seen=probes,
        ),
        "seen": [Step(at_s=step.at_s + 0.0001, what=f"{step.what} from the server") for step in steps],
        "why": "The server noticed, by ETIMEDOUT (keepalive).",
        "cell": cell,
    }
    return Record(**{**usual, **fields})


def never(number=0, watched=0.0, **fields):
    """A trial in which nothing was noticed: shown to be never, or watched for so long."""
    detection = Detection(verdict="missed", watched_s=watched)
    return record(
        number,
        detection=detection,
        prediction=Prediction(verdict="missed", why="No timer is armed."),
        seen=[],
        **{"cell": "cut-link traffic=idle survivor=client ipv=4", "fault": "cut-link", **fields},
    )


def late(number=0, **fields):
    """A trial that was not as predicted."""
    return record(number, **{"off": 1.25, "agrees": False, "why": "The prediction was 8 s: a finding.", **fields})


def sweep(idles=(1, 2, 4), intervals=(1, 2), faults=("crash-client", "crash-server"), repeat=2):
    """The records of a sweep, all as predicted."""
    cells = product(faults, idles, intervals, range(repeat))
    return [
        record(number, fault=fault, idle=idle, interval=interval, exact=idle + 3.0 * interval + 0.01 * again)
        for number, (fault, idle, interval, again) in enumerate(cells)
    ]


def facts(records, name="2026-11-21T030405Z-sweep", machine=None) -> Facts:
    return gather(name, records, MACHINE if machine is None else machine, BEGAN)


def write_run(folder: Path, records) -> Path:
    """Write a run's folder as the program does."""
    folder.mkdir(parents=True)
    (folder / "records.jsonl").write_bytes(b"".join(msgspec.json.encode(each) + b"\n" for each in records))
    (folder / "machine.json").write_bytes(msgspec.json.encode(MACHINE))
    return folder
