"""One strategy's client and server in the lab: a process each, so that strategies run side by side on one schedule."""

import asyncio
import time
from typing import Any

import msgspec

from harness.events import Tell
from harness.labs.local import NetnsLab
from harness.labs.protocols import Endpoint
from harness.pool import count, schedule
from harness.pool.fins import Fins
from harness.pool.options import Asked
from harness.pool.strategies import Strategy

_CONTROLS = 100
_CONN = "pool"


class Room:
    """``seen`` fills while it runs; ``done`` is set when the last request has its outcome."""

    def __init__(self, lab: NetnsLab, wanted: Asked, strategy: Strategy, fins: Fins, tell: Tell) -> None:
        self.lab, self.wanted, self.strategy, self.tell = lab, wanted, strategy, tell
        self.seen = count.Seen(server_ports=[], fins=fins)
        self.done = asyncio.Event()
        self.began = self.ended = 0.0
        self.port = 0
        self._server: Endpoint | None = None
        self._served = 0

    async def serve(self) -> None:
        """Start a server process; a later one takes the port of the one before."""
        self._served += 1
        server = await self.lab.server.endpoint(f"pool-{self.strategy.name}-{self._served}")
        wanted = self.wanted
        answer = await server.ask(
            "pool_serve",
            conn=_CONN,
            host=self.lab.server.address(wanted.ipv),
            port=self.port,
            idle=0 if wanted.server == "nat-forgot" else _ns(wanted.idle_s),
            how=wanted.close,
            work=_ns(wanted.work_s),
        )
        self.port = answer["port"]
        self.seen.server_ports = [self.port]
        self._server = server

    async def begin(self) -> None:
        """Start the client process on its schedule."""
        wanted, name = self.wanted, self.strategy.name
        client = await self.lab.client.endpoint(f"pool-{name}")
        client.listen_to(_CONN, self._hear)
        tries = wanted.tries(name)
        plan = schedule.plan(wanted.requests, wanted.use, wanted.forgets_s, wanted.pool, wanted.seed)
        self.began = time.monotonic()
        await client.ask(
            "pool_run",
            conn=_CONN,
            host=self.lab.server.address(wanted.ipv),
            port=self.port,
            places=[[_ns(place.opens_s), [[n, _ns(gap)] for n, gap in place.requests]] for place in plan],
            controls=[_ns(at) for at in schedule.controls(_CONTROLS, wanted.lasts_s)],
            check=self.strategy.check,
            tactics={
                "tries": tries,
                "backoff": _ns(wanted.backoff_s) if name == "backoff" else 0,
                "hedge": _ns(wanted.hedge_s) if name == "hedge" else 0,
                "patience": _ns(wanted.deadline_s / (1 if name == "hedge" else tries)),
                "deadline": _ns(wanted.deadline_s),
                "prepare": _ns(wanted.prepare_s),
                "new": wanted.retry_on == "new",
            },
        )

    def _hear(self, event: dict[str, Any]) -> None:
        if event["event"] == "requests":
            self.seen.rows += msgspec.convert(event["rows"], list[count.Row])
            self.tell("requests", strategy=self.strategy.name, rows=event["rows"])
        elif event["event"] == "done":
            self.ended = time.monotonic()
            self.seen.caught = [tuple(each) for each in event["caught"]]
            self.seen.controls = [tuple(each) for each in event["controls"]]
            self.seen.opened = event["opened"]
            self.tell("done", strategy=self.strategy.name, caught=event["caught"], controls=event["controls"])
            self.done.set()

    async def collect(self) -> None:
        """Add what the server of now has executed to what those before it had."""
        assert self._server is not None
        report = await self._server.ask("pool_report", conn=_CONN)
        for number, times in report["executed"]:
            self.seen.executed[number] += times
        for port, before, _ in report["closed"]:
            self.seen.closed.setdefault(port, []).append(before)
        self.tell("served", strategy=self.strategy.name, executed=report["executed"], closed=report["closed"])

    async def kill(self) -> None:
        assert self._server is not None
        await self.lab.server.kill(self._server.name)
        self._server = None

    @property
    def serves(self) -> bool:
        return self._server is not None


def _ns(seconds: float) -> int:
    return round(seconds * 1e9)
