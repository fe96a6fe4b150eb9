"""What Linux does with half-open connections (docs/linux.md), measured by the program, IPv4 and IPv6.

The windows here are worked out by hand from the kernel's source and earlier measurements, not by the predictor: this is
what keeps the predictor honest. All trials of a room run at the same time, once for the module.
"""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from harness.spec.settings import Asked
from harness.spec.trial import Trial
from harness.verdict.record import Record
from tests.lab.together import run_together

# From a timer's firing to the program's stamp, on a busy machine.
LATE_S = 0.03


class Fact(msgspec.Struct, frozen=True):
    """``low``, ``high``: seconds after the fault; None: never seen. ``sign``: what the survivor must see."""

    name: str
    trial: dict[str, Any]
    sign: str
    low: float | None
    high: float | None
    verdict: str = "detected"


def _asked(**settings: Any) -> dict[str, Any]:
    return {"asked": Asked(**settings)}


def _keepalive(idle: int, interval: int, count: int, **more: Any) -> dict[str, Any]:
    return _asked(idle_s=idle, interval_s=interval, count=count, **more)


def _cut(**settings: Any) -> dict[str, Any]:
    return {"fault": "cut-link", **_asked(**settings)}


def _write(**settings: Any) -> dict[str, Any]:
    return {**_cut(**settings), "traffic": "write"}


# At HZ=250 a timer of 1 s is up to 32 ms late, one of 2 to 16 s up to 256 ms; the silence before the fault is part of
# the first idle: 0.2 to 0.26 s.
FACTS = (
    # Keepalive: idle + count x interval, each through the wheel.
    Fact("keepalive 2/1/3", {"fault": "cut-link", **_keepalive(2, 1, 3)}, "ETIMEDOUT", 4.70, 4.95),
    Fact("keepalive 1/1/3", {"fault": "cut-link", **_keepalive(1, 1, 3)}, "ETIMEDOUT", 3.70, 3.95),
    Fact(
        "keepalive 1/1/1, server",
        {"fault": "crash-client", "survivor": "server", **_keepalive(1, 1, 1)},
        "ETIMEDOUT",
        1.70,
        1.90,
    ),
    Fact("ICMP for probes is ignored", {"fault": "reject-packets", **_keepalive(1, 1, 2)}, "ETIMEDOUT", 2.70, 2.90),
    # Keepalive with user timeout: the count is ignored; idle + k x interval, k = max(1, ceil((UT - idle) / interval)).
    Fact("2/1/3 with UT 500 ms", _cut(idle_s=2, interval_s=1, count=3, user_timeout_ms=500), "ETIMEDOUT", 2.70, 2.95),
    Fact("2/1/3 with UT 3 s", _cut(idle_s=2, interval_s=1, count=3, user_timeout_ms=3000), "ETIMEDOUT", 2.70, 2.95),
    Fact("2/1/3 with UT 4 s", _cut(idle_s=2, interval_s=1, count=3, user_timeout_ms=4000), "ETIMEDOUT", 3.70, 3.98),
    Fact("2/1/3 with UT 5 s", _cut(idle_s=2, interval_s=1, count=3, user_timeout_ms=5000), "ETIMEDOUT", 4.70, 5.02),
    Fact("2/1/3 with UT 8 s", _cut(idle_s=2, interval_s=1, count=3, user_timeout_ms=8000), "ETIMEDOUT", 7.70, 8.15),
    Fact("UT alone, idle: never", _cut(user_timeout_ms=1000), "none", None, None, "missed"),
    Fact("nothing set, idle: never", _cut(), "none", None, None, "missed"),
    # Unacknowledged data: t1 = 0.41 s for one segment, then the user timeout, or the time that tcp_retries2 stands for.
    Fact("UT 100 ms, one write", _write(user_timeout_ms=100), "ETIMEDOUT", 0.50, 0.56),
    Fact("UT 1 s, one write", _write(user_timeout_ms=1000), "ETIMEDOUT", 1.40, 1.48),
    Fact("UT 3 s, one write", _write(user_timeout_ms=3000), "ETIMEDOUT", 3.40, 3.47),
    Fact("UT 5 s, one write", _write(user_timeout_ms=5000), "ETIMEDOUT", 5.40, 5.72),
    Fact("UT 10 s, one write", _write(user_timeout_ms=10_000), "ETIMEDOUT", 10.40, 10.75),
    # One write starts at RTO 204 to 212 ms: at 212 ms the first firing past the limit of R=3 is one doubling earlier.
    Fact("R=3, one write", _write(retries2=3), "ETIMEDOUT", 3.40, 7.10),
    Fact("R=4, one write", _write(retries2=4), "ETIMEDOUT", 6.60, 7.10),
    Fact("R=5, one write", _write(retries2=5), "ETIMEDOUT", 13.2, 14.1),
    Fact("RTO at most 1 s, R=3", _write(rto_max_ms=1000, retries2=3), "ETIMEDOUT", 2.7, 3.9),
    Fact("RTO at most 1 s, R=5", _write(rto_max_ms=1000, retries2=5), "ETIMEDOUT", 4.7, 6.1),
    Fact(
        "a write while probing postpones",
        {**_write(idle_s=1, interval_s=1, count=3, retries2=5), "write_after_s": 2.5},
        "ETIMEDOUT",
        15.7,
        16.7,
    ),
    # Zero window.
    Fact(
        "zero window, peer alive, UT 1 s",
        {"fault": "fill-window", **_asked(user_timeout_ms=1000)},
        "ETIMEDOUT",
        1.18,
        1.30,
        "mistaken",
    ),
    Fact(
        "zero window, peer alive, no UT",
        {"fault": "fill-window", "limit_s": 4.0, **_keepalive(1, 1, 1)},
        "none",
        None,
        None,
        "survived",
    ),
    Fact("zero window, peer gone, R=3", {**_cut(retries2=3), "traffic": "blocked"}, "ETIMEDOUT", 2.2, 3.7),
    # connect(): 1 s four times, then doubling; the limit is a time.
    Fact(
        "connect, SYNCNT 1", {"fault": "connect", "traffic": "connect", **_asked(syn_count=1)}, "ETIMEDOUT", 3.0, 3.12
    ),
    Fact(
        "connect, SYNCNT 2", {"fault": "connect", "traffic": "connect", **_asked(syn_count=2)}, "ETIMEDOUT", 7.0, 7.25
    ),
    Fact(
        "connect, UT 2.5 s",
        {"fault": "connect", "traffic": "connect", **_asked(user_timeout_ms=2500)},
        "ETIMEDOUT",
        2.5,
        2.56,
    ),
    # Recovery and flaps.
    Fact(
        "back before the last probe",
        {"fault": "flap-link", "options": {"down": 2.2}, **_keepalive(1, 1, 3)},
        "none",
        None,
        None,
        "survived",
    ),
    Fact(
        "back after the last probe",
        {"fault": "flap-link", "options": {"down": 3.2}, **_keepalive(1, 1, 3)},
        "ETIMEDOUT",
        3.70,
        3.95,
        "mistaken",
    ),
    # Deadlines see what kernels do not.
    Fact("read deadline 1 s by poll", _cut(read_deadline_s=1.0), "deadline", 0.70, 0.81),
    Fact("read deadline 1 s by SO_RCVTIMEO", _cut(read_deadline_s=1.0, deadline_by="rcvtimeo"), "deadline", 0.70, 0.84),
    # A hung program: its kernel goes on acknowledging.
    Fact(
        "hung, keepalive: never",
        {"fault": "freeze-server", "limit_s": 4.0, **_keepalive(1, 1, 1)},
        "none",
        None,
        None,
        "missed",
    ),
    Fact(
        "hung, heartbeat 500 ms x 2",
        {"fault": "freeze-server", **_asked(heartbeat_s=0.5, heartbeat_misses=2)},
        "heartbeat",
        1.0,
        1.52,
    ),
    # What is not half-open.
    Fact("kill -9, network up: FIN", {"fault": "kill-server"}, "EOF", 0.0, 0.02),
    Fact("kill -9 with unread data: RST", {"fault": "kill-server", "traffic": "blocked"}, "ECONNRESET", 0.0, 0.02),
    Fact("reboot: RST at the first probe", {"fault": "reboot-server", **_keepalive(1, 1, 3)}, "ECONNRESET", 0.70, 0.86),
    Fact(
        "cut, kill -9, healed at once: a late FIN",
        {"fault": "crash-client", "survivor": "server", "options": {"heal-after": 0.5}},
        "EOF",
        0.5,
        1.0,
    ),
    Fact(
        "cut, kill -9, healed late: RST at the probe",
        {"fault": "crash-client", "survivor": "server", "options": {"heal-after": 2.0}, **_keepalive(3, 1, 3)},
        "ECONNRESET",
        2.68,
        2.98,
    ),
    # Where the fault is put changes the answer.
    Fact(
        "own queue drops: keepalive never",
        {**_cut(idle_s=1, interval_s=1, count=2), "options": {"where": "own-queue"}, "limit_s": 6.0},
        "none",
        None,
        None,
        "missed",
    ),
    Fact(
        "own filter drops: keepalive does",
        {**_cut(idle_s=1, interval_s=1, count=2), "options": {"where": "own-filter"}},
        "ETIMEDOUT",
        2.70,
        2.92,
    ),
    Fact(
        "own filter drops, UT 2 s",
        {**_write(user_timeout_ms=2000), "options": {"where": "own-filter"}},
        "ETIMEDOUT",
        2.18,
        2.28,
    ),
)


def _trials() -> Iterator[Trial]:
    for number, (fact, ipv) in enumerate((fact, ipv) for fact in FACTS for ipv in (4, 6)):
        survivor = fact.trial.get("survivor", "client")
        yield Trial(**{**fact.trial, "survivor": survivor, "ipv": ipv, "number": number})


@pytest.fixture(scope="module")
def records() -> dict[tuple[str, int], Record]:
    found = run_together(_trials(), within_s=90)
    names = [(fact.name, ipv) for fact in FACTS for ipv in (4, 6)]
    return {names[record.trial]: record for record in found}


@pytest.mark.parametrize("ipv", [4, 6])
@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.name)
def test_linux_does_so(fact: Fact, ipv: int, records: dict[tuple[str, int], Record]) -> None:
    record = records[fact.name, ipv]
    detection = record.detection
    assert (detection.verdict, detection.sign) == (fact.verdict, fact.sign)
    if fact.low is None or fact.high is None:
        assert detection.after_s is None
    else:
        assert detection.after_s is not None
        # Stamps around the injection bound the start of the clock, so a sign may be early by that much and no more.
        assert fact.low - record.fault.uncertainty_s <= detection.after_s <= fact.high + LATE_S
    assert record.proof.holds, record.proof.missing
    assert record.agrees, record.why
