"""What Linux does with half-open connections (docs/linux.md), measured by the program, IPv4 and IPv6.

The windows here are worked out by hand from the kernel's source and earlier measurements, not by the predictor: this is
what keeps the predictor honest. All trials of a room run at the same time, once for the module.
"""

import itertools
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import pytest

from harness.spec.settings import Asked
from harness.spec.trial import Trial
from harness.verdict.record import Record
from tests.lab.conftest import Ordinary
from tests.lab.together import run_together

# From a timer's firing to the program's stamp, on a busy machine.
LATE_S = 0.03


class Fact(msgspec.Struct, frozen=True):
    """``low``, ``high``: seconds since the survivor last heard of its peer ("silence"), since the fault, or since its
    last window probe ("probe"); None: never seen. ``sign``: what the survivor must see.
    """

    name: str
    trial: dict[str, Any]
    sign: str
    low: float | None
    high: float | None
    verdict: str = "detected"
    since: str = "silence"


def _asked(**settings: Any) -> dict[str, Any]:
    return {"asked": Asked(**settings)}


def _keepalive(idle: int, interval: int, count: int, **more: Any) -> dict[str, Any]:
    return _asked(idle_s=idle, interval_s=interval, count=count, **more)


def _cut(**settings: Any) -> dict[str, Any]:
    return {"fault": "cut-link", **_asked(**settings)}


def _write(**settings: Any) -> dict[str, Any]:
    return {**_cut(**settings), "traffic": "write"}


def _behind_a_window(quiet_s: float) -> dict[str, Any]:
    return {**_cut(retries2=3), "traffic": "blocked", "quiet_s": quiet_s}


def _wheel(*lengths: float) -> tuple[float, float]:
    """Timers one after the other: each is never early, and less than a seventh and two ticks of 10 ms late."""
    return sum(lengths), sum(length * 8 / 7 + 0.02 for length in lengths)


NEVER = (None, None)
CONNECT = {"fault": "connect", "traffic": "connect"}
# One segment: tail loss probe after 0.2 s, then the RTO of 204 to 212 ms.
T1 = (0.2, 0.204)
FACTS = (
    # Keepalive: idle + count x interval, each through the wheel.
    Fact("keepalive 2/1/3", {"fault": "cut-link", **_keepalive(2, 1, 3)}, "ETIMEDOUT", *_wheel(2, 1, 1, 1)),
    Fact("keepalive 1/1/3", {"fault": "cut-link", **_keepalive(1, 1, 3)}, "ETIMEDOUT", *_wheel(1, 1, 1, 1)),
    Fact(
        "a server's", {"fault": "crash-client", "survivor": "server", **_keepalive(1, 1, 1)}, "ETIMEDOUT", *_wheel(1, 1)
    ),
    Fact(
        "ICMP for probes is ignored", {"fault": "reject-packets", **_keepalive(1, 1, 2)}, "ETIMEDOUT", *_wheel(1, 1, 1)
    ),
    # Keepalive with user timeout: the count is ignored; idle + k x interval, k = max(1, ceil((UT - idle) / interval)).
    Fact("2/1/3, UT 500 ms", _cut(idle_s=2, interval_s=1, count=3, user_timeout_ms=500), "ETIMEDOUT", *_wheel(2, 1)),
    Fact("2/1/3, UT 3 s", _cut(idle_s=2, interval_s=1, count=3, user_timeout_ms=3000), "ETIMEDOUT", *_wheel(2, 1)),
    Fact("2/1/3, UT 4 s", _cut(idle_s=2, interval_s=1, count=3, user_timeout_ms=4000), "ETIMEDOUT", *_wheel(2, 1, 1)),
    Fact(
        "2/1/3, UT 5 s", _cut(idle_s=2, interval_s=1, count=3, user_timeout_ms=5000), "ETIMEDOUT", *_wheel(2, 1, 1, 1)
    ),
    Fact("UT alone, idle", _cut(user_timeout_ms=1000), "none", *NEVER, "missed"),
    Fact("nothing set, idle", _cut(), "none", *NEVER, "missed"),
    # Unacknowledged data: the clock starts at the first retransmission by timeout, not at the write.
    Fact("a write, UT 100 ms", _write(user_timeout_ms=100), "ETIMEDOUT", *_wheel(*T1, 0.1), since="fault"),
    Fact("a write, UT 1 s", _write(user_timeout_ms=1000), "ETIMEDOUT", *_wheel(*T1, 1), since="fault"),
    Fact("a write, UT 3 s", _write(user_timeout_ms=3000), "ETIMEDOUT", *_wheel(*T1, 3), since="fault"),
    Fact("a write, UT 10 s", _write(user_timeout_ms=10_000), "ETIMEDOUT", *_wheel(*T1, 10), since="fault"),
    # tcp_retries2 is a time: the first RTO firing k with RTO x (2^k - 2) >= 200 ms x (2^(R+1) - 1), and at an RTO of
    # 215 ms or more that is one doubling earlier than at 204 ms.
    Fact("a write, R=3", _write(retries2=3), "ETIMEDOUT", 3.2, 7.6, since="fault"),
    Fact("a write, R=4", _write(retries2=4), "ETIMEDOUT", 6.5, 7.6, since="fault"),
    Fact("a write, R=5", _write(retries2=5), "ETIMEDOUT", 12.9, 15.2, since="fault"),
    Fact("a write, R=3, RTO at most 1 s", _write(rto_max_ms=1000, retries2=3), "ETIMEDOUT", 2.6, 4.4, since="fault"),
    Fact("a write, R=5, RTO at most 1 s", _write(rto_max_ms=1000, retries2=5), "ETIMEDOUT", 4.6, 6.7, since="fault"),
    Fact(
        "a write while probing postpones",
        {**_write(idle_s=1, interval_s=1, count=3, retries2=5), "write_after_s": 2.5},
        "ETIMEDOUT",
        2.5 + 12.9,
        2.5 + 15.2,
        since="fault",
    ),
    # Zero window.
    Fact(
        "zero window, peer alive, UT 1 s",
        {"fault": "fill-window", **_asked(user_timeout_ms=1000)},
        "ETIMEDOUT",
        *_wheel(0.2, 1),
        "mistaken",
    ),
    Fact(
        "zero window, peer alive",
        {"fault": "fill-window", "limit_s": 4.0, **_keepalive(1, 1, 1)},
        "none",
        *NEVER,
        "survived",
    ),
    # R probes without an answer, with pauses that double up to 2^R; how far they have doubled when the fault comes is a
    # matter of how many probes were answered before. The last of them is waited for the longest.
    Fact("zero window, peer gone, R=3", _behind_a_window(0.02), "ETIMEDOUT", *_wheel(8 * 0.2), since="probe"),
    Fact("zero window, peer gone later, R=3", _behind_a_window(0.4), "ETIMEDOUT", *_wheel(8 * 0.2), since="probe"),
    # connect(): pauses of 1 s, four times, then doubling.
    Fact("connect, SYNCNT 1", {**CONNECT, **_asked(syn_count=1)}, "ETIMEDOUT", *_wheel(1, 1, 1), since="fault"),
    Fact(
        "connect, SYNCNT 2", {**CONNECT, **_asked(syn_count=2)}, "ETIMEDOUT", *_wheel(1, 1, 1, 1, 1, 2), since="fault"
    ),
    Fact(
        "connect, UT 2.5 s", {**CONNECT, **_asked(user_timeout_ms=2500)}, "ETIMEDOUT", *_wheel(1, 1, 0.5), since="fault"
    ),
    # Flaps: only a probe that gets through saves the connection, and the last one leaves an interval before death.
    Fact(
        "back before the last probe",
        {"fault": "flap-link", "options": {"down": 2.2}, **_keepalive(1, 1, 3)},
        "none",
        *NEVER,
        "survived",
    ),
    Fact(
        "back after the last probe",
        {"fault": "flap-link", "options": {"down": 3.2}, **_keepalive(1, 1, 3)},
        "ETIMEDOUT",
        *_wheel(1, 1, 1, 1),
        "mistaken",
    ),
    # Deadlines see what kernels do not. The read begins with the last data; the last segment of all, its delayed
    # acknowledgment, comes up to 40 ms later.
    Fact("read deadline 1 s by poll", _cut(read_deadline_s=1.0), "deadline", 0.95, 1.04),
    Fact("read deadline 1 s by SO_RCVTIMEO", _cut(read_deadline_s=1.0, deadline_by="rcvtimeo"), "deadline", 0.95, 1.17),
    # A hung program: its kernel goes on acknowledging.
    Fact(
        "hung, keepalive", {"fault": "freeze-server", "limit_s": 4.0, **_keepalive(1, 1, 1)}, "none", *NEVER, "missed"
    ),
    Fact(
        "hung, heartbeat",
        {"fault": "freeze-server", **_asked(heartbeat_s=0.5, heartbeat_misses=2)},
        "heartbeat",
        1.0,
        1.54,
        since="fault",
    ),
    # What is not half-open.
    Fact("kill -9, network up: FIN", {"fault": "kill-server"}, "EOF", 0.0, 0.02, since="fault"),
    Fact(
        "kill -9 with unread data: RST",
        {"fault": "kill-server", "traffic": "blocked"},
        "ECONNRESET",
        0.0,
        0.02,
        since="fault",
    ),
    Fact("reboot: RST at the first probe", {"fault": "reboot-server", **_keepalive(1, 1, 3)}, "ECONNRESET", *_wheel(1)),
    Fact(
        "cut, kill -9, healed at once: a late FIN",
        {"fault": "crash-client", "survivor": "server", "options": {"heal-after": 0.5}},
        "EOF",
        0.5,
        1.0,
        since="fault",
    ),
    Fact(
        "cut, kill -9, healed late: RST at the probe",
        {"fault": "crash-client", "survivor": "server", "options": {"heal-after": 2.0}, **_keepalive(3, 1, 3)},
        "ECONNRESET",
        *_wheel(3),
    ),
    # Where the fault is put changes the answer.
    Fact(
        "own queue drops: keepalive never",
        {**_cut(idle_s=1, interval_s=1, count=2), "options": {"where": "own-queue"}, "limit_s": 6.0},
        "none",
        *NEVER,
        "missed",
    ),
    Fact(
        "own filter drops: keepalive does",
        {**_cut(idle_s=1, interval_s=1, count=2), "options": {"where": "own-filter"}},
        "ETIMEDOUT",
        *_wheel(1, 1, 1),
    ),
    Fact(
        "own filter drops: no tail loss probe",
        {**_write(user_timeout_ms=2000), "options": {"where": "own-filter"}},
        "ETIMEDOUT",
        *_wheel(0.2, 2),
        since="fault",
    ),
)


def _trials() -> Iterator[Trial]:
    for number, (fact, ipv) in enumerate((fact, ipv) for fact in FACTS for ipv in (4, 6)):
        survivor = fact.trial.get("survivor", "client")
        yield Trial(**{**fact.trial, "survivor": survivor, "ipv": ipv, "number": number})


@pytest.fixture(scope="module")
def by_user(ordinary: Ordinary) -> dict[str, list[Record]]:
    """The same trials as root and as an ordinary user, at the same time: they mostly wait."""
    pythons = {"nobody": ordinary.through()}
    if os.geteuid() == 0:
        pythons["root"] = (sys.executable,)
    with ThreadPoolExecutor(2) as pool:
        found = pool.map(lambda python: run_together(_trials(), within_s=90, python=python), pythons.values())
        return dict(zip(pythons, found, strict=True))


@pytest.fixture(scope="module", params=["root", "nobody"])
def records(request: pytest.FixtureRequest, by_user: dict[str, list[Record]]) -> dict[tuple[str, int], Record]:
    if request.param not in by_user:
        pytest.skip("NOT TESTED as root: these tests run as an ordinary user")
    found = by_user[request.param]
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
        if fact.since == "probe":
            silence: float | None = -_unanswered_probes(record)[-1]
        else:
            silence = record.fault.quiet_s if fact.since == "silence" else 0.0
        # Stamps around the injection bound the start of the clock, so a sign may be early by that much and no more;
        # keepalive's clock starts when it is armed, after the last segment.
        assert silence is not None
        assert fact.low - record.fault.uncertainty_s <= silence + detection.after_s <= fact.high + LATE_S
    assert record.proof.holds, record.proof.missing
    assert record.agrees, record.why


def _unanswered_probes(record: Record) -> list[float]:
    """Seconds after the fault."""
    return [step.at_s for step in record.seen if step.what.startswith("window probe")]


@pytest.mark.parametrize("ipv", [4, 6])
@pytest.mark.parametrize("name", [fact.name for fact in FACTS if fact.since == "probe"])
def test_pauses_behind_a_closed_window_double(name: str, ipv: int, records: dict[tuple[str, int], Record]) -> None:
    record = records[name, ipv]
    probes, died = _unanswered_probes(record), record.detection.after_s
    assert len(probes) == 3
    assert died is not None
    first, second, third = (after - before for before, after in itertools.pairwise([*probes, died]))
    doubled = next(power for power in (1, 2, 3) if first < 1.5 * 0.2 * 2**power)
    for pause, power in ((first, doubled), (second, min(doubled + 1, 3)), (third, 3)):
        low, high = _wheel(0.2 * 2**power)
        assert low - 0.004 <= pause <= high * 0.216 / 0.2 + LATE_S
