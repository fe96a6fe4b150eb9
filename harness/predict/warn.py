"""Warnings: settings that work against each other, and kernels whose bugs make the prediction wrong.

Facts: the commits named below, and the first releases that have them (partly inferred from patch dates); measured.
The timers are modelled as Linux 6.18 has them.
"""

import re
from collections.abc import Callable

import msgspec

from harness.predict.situation import Situation

Version = tuple[int, int, int]


class Bug(msgspec.Struct, frozen=True):
    """A bug of Linux from ``since`` to ``fixed``, absent too from ``stable``: {branch: first good patch level}."""

    commit: str
    effect: str
    fixed: Version
    matters: Callable[[Situation], bool]
    since: Version = (0, 0, 0)
    stable: dict[tuple[int, int], int] = {}

    def in_(self, version: Version) -> bool:
        good = self.stable.get(version[:2])
        return self.since <= version < self.fixed and not (good is not None and version[2] >= good)


def _timed(*traffics: str) -> Callable[[Situation], bool]:
    return lambda s: s.settings.user_timeout_ms > 0 and s.traffic in traffics


BUGS = (
    Bug(
        "b701a99e431d", "the user timeout is late by up to a whole backoff step", (4, 19, 0), _timed("write", "stream")
    ),
    Bug("a66b10c05ee2", "at the user timeout connect() sends a flood of SYNs", (5, 4, 0), _timed("connect")),
    Bug(
        "9d9b1ee0b2d1",
        "the user timeout never ends a connection with a closed window",
        (5, 11, 0),
        _timed("blocked"),
        since=(5, 1, 0),
        # Fixed somewhere in 5.10.y; that it is by .13, like the next one, is an inference.
        stable={(5, 4): 93, (5, 10): 13},
    ),
    Bug(
        "344db93ae3ee",
        "with a closed window the user timeout is up to 2 min late",
        (5, 11, 0),
        _timed("blocked"),
        since=(5, 1, 0),
        stable={(5, 10): 13},
    ),
    Bug(
        "97a9063518f1",
        "at the user timeout a packet may be sent every 2 jiffies for 4 min (CVE-2024-41007)",
        (6, 9, 10),
        _timed("write", "stream", "blocked"),
        stable={(6, 6): 41, (6, 1): 100, (5, 15): 163, (5, 10): 222},
    ),
)


def warnings(s: Situation) -> list[str]:
    """Return what a reader of the prediction for ``s`` should know besides."""
    return [*_contradictions(s), *_kernel(s)]


def _contradictions(s: Situation) -> list[str]:
    settings = s.settings
    found: list[str] = []
    if s.traffic == "connect":
        return found
    if settings.keepalive and settings.user_timeout_ms and s.traffic != "blocked":
        found.append(f"the user timeout makes the keepalive count of {settings.count} meaningless")
    writes = s.traffic in ("write", "stream") or s.unacked_at is not None or bool(settings.heartbeat_s)
    if settings.keepalive and writes and not settings.user_timeout_ms:
        found.append("keepalive is silent while data is unacknowledged; without a user timeout tcp_retries2 decides")
    if settings.user_timeout_ms and s.traffic == "blocked":
        found.append("the user timeout also kills connections to a peer that is alive but reads slowly")
    if settings.user_timeout_ms and not settings.keepalive and not writes and s.traffic != "blocked":
        found.append("a user timeout without keepalive does nothing for an idle connection")
    if settings.read_deadline_s and settings.heartbeat_s and settings.heartbeat_s >= settings.read_deadline_s:
        found.append("the heartbeat is no shorter than the read deadline, which will end healthy connections")
    return found


def _kernel(s: Situation) -> list[str]:
    match = re.match(r"(\d+)\.(\d+)(?:\.(\d+))?", s.kernel.version)
    if match is None:
        return [f"kernel version {s.kernel.version!r} is not understood; the timers are predicted as in Linux 6.18"]
    version = (int(match[1]), int(match[2]), int(match[3] or 0))
    found = [
        f"Linux {s.kernel.version}: {bug.effect} ({bug.commit})" for bug in BUGS if bug.in_(version) and bug.matters(s)
    ]
    if version < (4, 8, 0):
        found.append(f"Linux {s.kernel.version}: before 4.8 the timer wheel was another; timers are not this late")
    if version < (6, 15, 0) and s.settings.rto_max_ms != 120_000:
        found.append(f"Linux {s.kernel.version} has no TCP_RTO_MAX_MS (6.15): the RTO grows to 120 s")
    if version < (6, 5, 0) and s.settings.syn_linear and s.traffic == "connect":
        found.append(f"Linux {s.kernel.version} has no tcp_syn_linear_timeouts (6.5): every SYN pause doubles")
    return found
