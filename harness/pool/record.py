"""What ``stale-pool`` prints and keeps: one object per strategy. Times are seconds; shares are of all requests."""

from typing import Any

import msgspec


class Settings(msgspec.Struct, kw_only=True, omit_defaults=False):
    """What the strategy was run with. ``idle_timeout_s`` None: the server closes nothing."""

    server: str
    use: str
    close: str
    idle_timeout_s: float | None
    nat_timeout_s: int | None
    on_expiry: str | None
    down_s: float | None
    connections: int
    tries: int
    prepare_s: float
    work_s: float
    deadline_s: float
    backoff_s: float | None
    hedge_after_s: float | None
    retry_on: str | None
    ipv: int
    seed: int


class Shares(msgspec.Struct, kw_only=True):
    """What the callers were told: the first three are all requests.

    ``failed``: an error. ``lost``: neither an answer nor an error by the deadline. What the server did, whatever was
    told: ``never_executed``; ``executed_unanswered``: executed, and the caller was told an error or nothing;
    ``executed_twice``: more than once.
    """

    answered: float
    failed: float
    lost: float
    never_executed: float
    executed_unanswered: float
    executed_twice: float


class Checked(msgspec.Struct, kw_only=True):
    """What the check, or the reader, did. Numbers of connections.

    ``stale``: taken from the pool when their FIN had already reached the client, or taken out for it; ``caught``: of
    those, the ones that were taken out; ``missed``: handed out all the same; ``false_alarms``: taken out although no
    FIN or RST had come.
    """

    stale: int = 0
    caught: int = 0
    missed: int = 0
    false_alarms: int = 0


class Race(msgspec.Struct, kw_only=True):
    """Requests that failed on a connection that was still open when it was looked at.

    ``between``: the FIN passed the router after the look and before the write; ``crossed``: FIN or RST did so after the
    write, so request and close met. No check can know of either. ``share``: of all requests.
    """

    between: int = 0
    crossed: int = 0
    share: float = 0.0


class Latency(msgspec.Struct, kw_only=True):
    """Of answered requests, from the asking to the answer without what the caller itself took (``prepare_s``); and of
    control requests on healthy new connections, from the write to the answer.
    """

    median_s: float | None = None
    p99_s: float | None = None
    control_median_s: float | None = None
    control_p99_s: float | None = None
    added_median_s: float | None = None
    added_p99_s: float | None = None


class Evidence(msgspec.Struct, kw_only=True):
    """``holds``: the three witnesses (client, server, router) agree; ``missing`` says where they do not."""

    holds: bool
    missing: list[str] = []
    fins_seen: int = 0
    controls: int = 0


class PoolRecord(msgspec.Struct, kw_only=True):
    """One strategy in one run. ``signs``: errors that tries met. ``longer_gaps``: the share of gaps that are longer
    than the idle timeout: what a client that does nothing about it is expected to run into.
    """

    strategy: str
    settings: Settings
    requests: int
    longer_gaps: float
    shares: Shares
    checked: Checked
    race: Race
    latency: Latency
    signs: dict[str, int]
    tries: int
    connections_opened: int
    evidence: Evidence
    lasted_s: float
    lab: dict[str, Any]
    warnings: list[str] = []
    schema: int = 1
    experiment: str = "stale-pool"
