"""The options of ``stale-pool``, and what was asked with them."""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from harness.errors import Refused
from harness.pool import schedule
from harness.pool.schedule import Use
from harness.pool.strategies import STRATEGIES
from harness.spec.options import RUN, Option, parse
from harness.spec.parse import choice, duration, whole, whole_seconds

# A request that is lost is waited for until its deadline.
_MOST_S = 3600.0


def _strategies(text: str) -> tuple[str, ...]:
    if text == "all":
        return tuple(STRATEGIES)
    one = choice("--strategy", "all", *STRATEGIES)
    return tuple(dict.fromkeys(one(name.strip()) for name in text.split(",")))


OPTIONS = (
    Option(
        "strategy",
        "what the client does: all, or names with commas: " + ", ".join(STRATEGIES),
        _strategies,
        default=tuple(STRATEGIES),
        field="strategies",
    ),
    Option(
        "server",
        "what becomes of it: alive, crashed (its machine vanishes; a new one is up after --down), nat-forgot",
        choice("--server", "alive", "crashed", "nat-forgot"),
        default="alive",
    ),
    Option(
        "use",
        "gaps between uses against the idle timeout: idle (1.2 to 2), light (0.5 to 1.5), heavy (0.05 to 0.5), "
        "edge (0.96 to 1.04)",
        choice("--use", "idle", "light", "heavy", "edge"),
        default="light",
    ),
    Option(
        "close",
        "how the server closes an idle connection: close, or half (it goes on reading and executing)",
        choice("--close", "close", "half"),
        default="close",
    ),
    Option("requests", "requests of each strategy, 20 to 100000", whole("--requests", 20, 100_000), default=2000),
    Option(
        "idle-timeout",
        "the server closes a connection that was idle for so long, 50ms to 60s",
        duration("--idle-timeout", 0.05, 60.0),
        default=0.5,
        field="idle_s",
    ),
    Option(
        "nat-timeout",
        "with nat-forgot: the NAT forgets a silent connection after so long, whole seconds, 1 to 60; the server then "
        "closes nothing",
        whole_seconds("--nat-timeout", 1, 60),
        default=1,
        field="nat_s",
    ),
    Option(
        "on-expiry",
        "with nat-forgot: what the NAT does with packets it no longer knows: silent (drop) or reset (RST)",
        choice("--on-expiry", "silent", "reset"),
        default="silent",
    ),
    Option(
        "down",
        "with crashed: how long the server's machine is gone, 2s to 1h",
        duration("--down", 2.0, 3600.0),
        default=3.0,
        field="down_s",
    ),
    Option(
        "prepare",
        "what the caller takes between the check and the write, 0 to 10s",
        duration("--prepare", 0.0, 10.0),
        default=0.005,
        field="prepare_s",
    ),
    Option(
        "work",
        "what the server takes to execute a request, 0 to 10s",
        duration("--work", 0.0, 10.0),
        default=0.0,
        field="work_s",
    ),
    Option(
        "deadline",
        "how long a request waits for its answer, 10ms to 60s; tries share it evenly",
        duration("--deadline", 0.01, 60.0),
        default=1.0,
        field="deadline_s",
    ),
    Option("retries", "further tries of retry-n and backoff, 1 to 20", whole("--retries", 1, 20), default=3),
    Option(
        "backoff",
        "wait before the first further try of backoff, 1ms to 10s",
        duration("--backoff", 0.001, 10.0),
        default=0.01,
        field="backoff_s",
    ),
    Option(
        "hedge-after",
        "hedge sends its second request after so long without an answer, 1ms to 10s",
        duration("--hedge-after", 0.001, 10.0),
        default=0.05,
        field="hedge_s",
    ),
    Option(
        "retry-on",
        "further tries and hedges go to: pool (the connection that was idle longest) or new (a new connection)",
        choice("--retry-on", "pool", "new"),
        default="pool",
    ),
    Option(
        "pool",
        f"connections in the pool, 1 to {schedule.MOST_PLACES} (default: as many as bring the run to about 40 s)",
        whole("--pool", 1, schedule.MOST_PLACES),
        field="places",
    ),
    Option("ipv", "IP version: 4 or 6", lambda text: int(choice("--ipv", "4", "6")(text)), default=4),
    Option("seed", "of the schedule's order, 0 to 2147483647", whole("--seed", 0, 2_147_483_647), default=1),
    *(option for option in RUN if option.name != "repeat"),
)


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked of a run. Times are seconds."""

    strategies: tuple[str, ...] = tuple(STRATEGIES)
    server: Literal["alive", "crashed", "nat-forgot"] = "alive"
    use: Use = "light"
    close: Literal["close", "half"] = "close"
    requests: int = 2000
    idle_s: float = 0.5
    nat_s: int = 1
    on_expiry: Literal["silent", "reset"] = "silent"
    down_s: float = 3.0
    prepare_s: float = 0.005
    work_s: float = 0.0
    deadline_s: float = 1.0
    retries: int = 3
    backoff_s: float = 0.01
    hedge_s: float = 0.05
    retry_on: Literal["pool", "new"] = "pool"
    places: int = 0
    ipv: Literal[4, 6] = 4
    seed: int = 1

    @property
    def forgets_s(self) -> float:
        """After how long an idle connection is no more: the gaps are measured by this."""
        return self.nat_s if self.server == "nat-forgot" else self.idle_s

    @property
    def round_s(self) -> float:
        """What a request takes with the gap before it, at worst: lost ones wait for the deadline."""
        lost = schedule.longer_share(self.use) if self.server == "nat-forgot" else 0.0
        waits = lost * self.deadline_s + self.prepare_s + self.work_s
        return schedule.mean_gap(self.use, self.forgets_s) + waits

    @property
    def pool(self) -> int:
        """How many connections the pool has."""
        return min(self.requests, self.places or schedule.places_for(self.requests, self.round_s))

    @property
    def lasts_s(self) -> float:
        """How long the run takes, nearly."""
        return self.round_s * -(-self.requests // self.pool) + self.round_s / 2

    def tries(self, strategy: str) -> int:
        return {"retry": 2, "retry-n": 1 + self.retries, "backoff": 1 + self.retries, "hedge": 2}.get(strategy, 1)


# Options that mean nothing without another: name, what they need, and its field and values.
_NEEDS: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    ("nat-timeout", "--server nat-forgot", "server", ("nat-forgot",)),
    ("on-expiry", "--server nat-forgot", "server", ("nat-forgot",)),
    ("down", "--server crashed", "server", ("crashed",)),
    ("idle-timeout", "a server that closes (alive, crashed)", "server", ("alive", "crashed")),
    ("close", "a server that closes (alive, crashed)", "server", ("alive", "crashed")),
    ("retries", "--strategy retry-n or backoff", "strategies", ("retry-n", "backoff")),
    ("backoff", "--strategy backoff", "strategies", ("backoff",)),
    ("hedge-after", "--strategy hedge", "strategies", ("hedge",)),
    ("retry-on", "--strategy retry, retry-n, backoff or hedge", "strategies", ("retry", "retry-n", "backoff", "hedge")),
)


def asked(typed: Mapping[str, Any]) -> Asked:
    """Return what was typed. Raises Refused."""
    values = parse(OPTIONS, typed)
    known = {name.replace("-", "_"): value for name, value in values.items()}
    known["places"] = known["places"] or 0
    wanted = Asked(**{name: value for name, value in known.items() if name in Asked.__struct_fields__})
    for name, needs, field, allowed in _NEEDS:
        given = getattr(wanted, field)
        has = {given} if field == "server" else {*given}
        if typed.get(name.replace("-", "_")) is not None and not has & {*allowed}:
            raise Refused(f"--{name} has no effect without {needs}; give that as well, or leave --{name} out")
    for name, value in (("prepare", wanted.prepare_s), ("work", wanted.work_s)):
        if value >= wanted.deadline_s:
            least = f"less than the deadline of {wanted.deadline_s:g} s is allowed"
            raise Refused(f"--{name}: {value:g} s is refused; {least}")
    if wanted.lasts_s > _MOST_S:
        raise Refused(
            f"--requests: {wanted.requests} is refused, for it would take {wanted.lasts_s / 60:.0f} min; at most 1 h"
            " is allowed (a larger --pool is quicker)"
        )
    return wanted
