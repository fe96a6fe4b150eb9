"""From what client, server and router saw of one strategy to shares, races and latencies. Pure. Instants are ns."""

from collections import Counter
from statistics import median

import msgspec

from harness.pool.fins import Fins
from harness.pool.record import Checked, Evidence, Latency, Race, Shares

# From the router into the client's kernel, on a machine that may be busy, and from a stamp to the system call it stands
# for: a FIN that passed the router this shortly before the look may not have been there to be seen, and one that
# passed this shortly after the stamp may have been.
ON_ITS_WAY_NS = 300_000
_ANSWER = "answer"
_TOLD_BY_PEER = ("EOF", "ECONNRESET", "EPIPE")


class Tried(msgspec.Struct, frozen=True, array_like=True):
    """One try, as endpoints/pool_request.py tells it. 0 is never."""

    port: int
    opened: int
    new: bool
    taken: int
    ready: int
    wrote: int
    ended: int
    end: str


class Row(msgspec.Struct, frozen=True, array_like=True):
    """One request."""

    number: int
    asked: int
    done: int
    outcome: str
    sign: str
    tries: list[Tried]


class Seen(msgspec.Struct, kw_only=True):
    """Everything that was seen of one strategy.

    ``executed``: how often, by number. ``closed``: when the server closed connections for idling, by the client's port,
    in order. ``caught``: [port, opened, seen at]. ``controls``: [number, wrote, answered].
    """

    server_ports: list[int]
    fins: Fins
    rows: list[Row] = []
    executed: Counter[int] = msgspec.field(default_factory=Counter)
    closed: dict[int, list[int]] = {}
    caught: list[tuple[int, int, int]] = []
    controls: list[tuple[int, int, int]] = []
    opened: int = 0
    lost_packets: int = 0

    def fin(self, client: int, since: int, until: int) -> int | None:
        found = (self.fins.fin(port, client, since, until) for port in self.server_ports)
        return min((at for at in found if at is not None), default=None)

    def end(self, client: int, since: int, until: int) -> int | None:
        found = (self.fins.end(port, client, since, until) for port in self.server_ports)
        return min((at for at in found if at is not None), default=None)

    def closes(self, client: int, since: int, until: int) -> bool:
        """Return whether the server says that it closed this connection for idling within [since, until]."""
        return any(since <= at <= until for at in self.closed.get(client, ()))


def shares(seen: Seen) -> Shares:
    told = Counter(row.outcome for row in seen.rows)
    times = {row.number: seen.executed[row.number] for row in seen.rows}
    total = max(1, len(seen.rows))
    unanswered = sum(1 for row in seen.rows if row.outcome != "answered" and times[row.number])
    return Shares(
        answered=told["answered"] / total,
        failed=told["failed"] / total,
        lost=told["lost"] / total,
        never_executed=sum(1 for count in times.values() if count == 0) / total,
        executed_unanswered=unanswered / total,
        executed_twice=sum(1 for count in times.values() if count > 1) / total,
    )


def checked(seen: Seen) -> Checked:
    """Hold what was taken out, and what was handed out, against the FINs on the router."""
    right = sum(1 for port, opened, at in seen.caught if _rightly_caught(seen, port, opened, at))
    missed = sum(1 for row in seen.rows for tried in row.tries if _known_stale(seen, tried))
    return Checked(stale=right + missed, caught=right, missed=missed, false_alarms=len(seen.caught) - right)


def _rightly_caught(seen: Seen, port: int, opened: int, at: int) -> bool:
    """Whether the connection had ended. Right after the look the server's own close must be shown too: a FIN that
    answers the client's closing of a healthy connection comes as quickly.
    """
    if seen.end(port, opened, at) is not None:
        return True
    late = at + ON_ITS_WAY_NS
    return seen.end(port, opened, late) is not None and seen.closes(port, opened, late)


def _known_stale(seen: Seen, tried: Tried) -> bool:
    """Whether the try went over a pooled connection whose FIN had been there to be seen."""
    if tried.new or not tried.wrote:
        return False
    return seen.fin(tried.port, tried.opened, tried.taken - ON_ITS_WAY_NS) is not None


def race(seen: Seen) -> Race:
    """Count the tries that failed because the server closed the connection too late for the look to see it.

    Mostly the FIN shows it. Where the request was there already when the server closed, its kernel sends RST instead
    (net/ipv4/tcp.c, __tcp_close: unread data). A NAT's RST is no race: the server closed nothing.
    """
    between = crossed = 0
    for row in seen.rows:
        for tried in row.tries:
            if tried.new or not tried.wrote or tried.end not in _TOLD_BY_PEER:
                continue
            end = seen.end(tried.port, tried.opened, tried.ended)
            if end is None or end < tried.taken - ON_ITS_WAY_NS:
                continue
            if not seen.closes(tried.port, tried.opened, tried.ended):
                continue
            if end <= tried.wrote:
                between += 1
            else:
                crossed += 1
    return Race(between=between, crossed=crossed, share=(between + crossed) / max(1, len(seen.rows)))


def latency(seen: Seen, controls: list[float]) -> Latency:
    """Return latencies in seconds; ``controls``: those of the control requests of all strategies together."""
    times = [_without_preparation(row) for row in seen.rows if row.outcome == "answered"]
    found = Latency()
    if times:
        found.median_s, found.p99_s = median(times), _percentile(times, 0.99)
    if controls:
        found.control_median_s, found.control_p99_s = median(controls), _percentile(controls, 0.99)
    if times and controls:
        assert found.median_s is not None and found.control_median_s is not None
        assert found.p99_s is not None and found.control_p99_s is not None
        found.added_median_s = found.median_s - found.control_median_s
        found.added_p99_s = found.p99_s - found.control_p99_s
    return found


def control_times(seen: Seen) -> list[float]:
    return [(answered - wrote) / 1e9 for _, wrote, answered in seen.controls if answered]


def _without_preparation(row: Row) -> float:
    first = row.tries[0]
    own = first.wrote - first.ready if first.wrote else 0
    return (row.done - row.asked - own) / 1e9


def _percentile(values: list[float], share: float) -> float:
    """Return the nearest-rank percentile."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(share * len(ranked)))]


def signs(seen: Seen) -> dict[str, int]:
    return dict(Counter(tried.end for row in seen.rows for tried in row.tries if tried.end != _ANSWER))


def evidence(seen: Seen, requests: int) -> Evidence:
    """Return whether the witnesses agree: what was answered was executed, and an end that was told was on the wire."""
    missing = []
    if len({row.number for row in seen.rows}) != requests or len(seen.rows) != requests:
        missing.append(f"{len(seen.rows)} outcomes of {requests} requests")
    unexecuted = sum(1 for row in seen.rows if row.outcome == "answered" and not seen.executed[row.number])
    if unexecuted:
        missing.append(f"{unexecuted} answered that the server never executed")
    fins = unseen = 0
    for row in seen.rows:
        for tried in row.tries:
            if tried.end in _TOLD_BY_PEER and tried.wrote:
                if seen.end(tried.port, tried.opened, tried.ended + ON_ITS_WAY_NS) is None:
                    unseen += 1
                else:
                    fins += 1
    if unseen:
        missing.append(f"{unseen} ends told by the client that the router did not see")
    if seen.lost_packets:
        missing.append(f"{seen.lost_packets} packets for which the capture had no room")
    controls = len(control_times(seen))
    if seen.controls and not controls:
        missing.append("no control request was answered")
    return Evidence(holds=not missing, missing=missing, fins_seen=fins, controls=controls)
