"""A scripted lab: the protocols of ``protocols`` without a network, so that the engine is tested in milliseconds.

Nothing happens in it by itself but the opening of connections. What the ends send and see is told from outside:
``send`` has an end send a segment, ``sign`` has the survivor notice. The lab remembers what was asked of it
(``FakePath.done``, ``FakeHost.done``, ``FakeEndpoint.asked``). Instants are CLOCK_MONOTONIC nanoseconds, packets'
instants seconds, as in a real lab.
"""

import asyncio
import itertools
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from harness.labs.fake_line import Line
from harness.labs.fake_path import FakePath, mark_now
from harness.labs.protocols import Ability, Flow, Lab, Mark, SocketSeen
from harness.predict.situation import Kernel
from harness.spec.sides import Side, other

_TCP = {"rto_s": 0.204, "srtt_s": 0.0001}
_DEFAULTS = {
    "keepalive": False,
    "idle_s": 7200,
    "interval_s": 75,
    "count": 9,
    "user_timeout_ms": 0,
    "rto_max_ms": 120_000,
    "syn_count": 6,
}
_SYSCTLS = {"net.ipv4.tcp_retries2": 15, "net.ipv4.tcp_syn_linear_timeouts": 4}


def _bracket() -> dict[str, int]:
    return {"before": time.monotonic_ns(), "after": time.monotonic_ns()}


class FakeEndpoint:
    """Answers as an endpoint process does. ``asked``: every question, as (do, arguments), in order."""

    def __init__(self, host: "FakeHost", name: str) -> None:
        self.name = name
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self._host = host
        self._listeners: dict[str, Callable[[dict[str, Any]], None]] = {}

    async def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        """Answer a question about a connection; the events that belong to the answer are told before it."""
        self.asked.append((do, arguments))
        return await self._host.answer(self, do, **arguments)

    def listen_to(self, conn: str, call: Callable[[dict[str, Any]], None]) -> None:
        self._listeners[conn] = call

    def say(self, event: str, conn: str, **fields: Any) -> None:
        """Tell an event of ``conn``, as the process would."""
        self._listeners[conn]({"event": event, "conn": conn, **fields})

    def was_asked(self, do: str) -> list[dict[str, Any]]:
        """Return the arguments of every question ``do``."""
        return [arguments for asked, arguments in self.asked if asked == do]


class FakeHost:
    """``seen``: the socket, as it is shown until it vanishes. ``done``: what was killed, stopped and resumed."""

    def __init__(self, lab: "FakeLab", side: Side) -> None:
        self.name: str = side
        self.side = side
        self.done: list[tuple[str, str]] = []
        self.endpoints: dict[str, FakeEndpoint] = {}
        self.sysctls = dict(_SYSCTLS)
        self.seen: SocketSeen | None = SocketSeen(state="ESTABLISHED", timer="none")
        self._vanished = False
        self._lab = lab

    def address(self, ipv: int) -> str:
        number = 1 if self.side == "client" else 2
        return f"198.18.{number}.2" if ipv == 4 else f"2001:db8:{number}::2"

    async def endpoint(self, name: str) -> FakeEndpoint:
        return self.endpoints.setdefault(name, FakeEndpoint(self, name))

    async def kill(self, name: str) -> dict[str, Any]:
        self.done.append(("kill", name))
        return {**_bracket(), "signal": 9}

    async def stop(self, name: str) -> dict[str, Any]:
        self.done.append(("stop", name))
        return {**_bracket(), "stopped": True}

    async def resume(self, name: str) -> dict[str, Any]:
        self.done.append(("resume", name))
        return _bracket()

    async def power_off(self) -> Mark:
        self.done.append(("power_off", self.name))
        self._vanished = True
        return msgspec.structs.replace(mark_now(), where=self.name, peer="powered off")

    async def power_on(self) -> None:
        self.done.append(("power_on", self.name))

    async def socket(self, flow: Flow) -> SocketSeen | None:
        return None if self._vanished else self.seen

    async def sysctl(self, name: str, value: int | None = None, missing: int | None = None) -> int:
        if value is not None:
            self.sysctls[name] = value
        return self.sysctls[name]

    async def restore(self, name: str) -> None:
        self.sysctls[name] = _SYSCTLS[name]

    async def answer(self, endpoint: FakeEndpoint, do: str, *, conn: str, **arguments: Any) -> dict[str, Any]:
        """Return what an endpoint answers to ``do``; a question that needs no more is answered with when."""
        if do in ("listen", "bind"):
            self._vanished = False
            return {"port": self._lab.port(self.side, conn)}
        if do == "connect":
            return await self._lab.connect(conn, endpoint, arguments.get("asked") or {})
        if do == "ping":
            self._lab.greet(conn, endpoint)
        elif do == "set":
            return self._set(arguments["asked"])
        elif do == "state":
            return {"tcp": _TCP, "read_at": None, "blocked_at": None, "ping_due": None}
        elif do == "fill":
            self._lab.close_window(conn, self.side)
        elif do == "close" and arguments["how"] == "vanish":
            self._vanished = True
        now = _bracket()
        return {**now, "at": now["before"]}

    def _set(self, asked: dict[str, Any]) -> dict[str, Any]:
        armed = time.monotonic_ns() if asked.get("keepalive") else None
        if armed is not None and self.seen is not None:
            self.seen = msgspec.structs.replace(self.seen, timer="keepalive")
        return {"armed": armed, "settings": {**_DEFAULTS, **asked, "keepalive": armed is not None}}


class FakeLab:
    """client - path - server, all scripted. ``lost``: how many packets the capture says that it lost.

    ``related``: how often the clocks were related; ``moved``: by how much they moved since, in seconds.
    """

    kind = "fake"
    offers: frozenset[Ability] = frozenset({"cut", "lossy", "reject", "mtu", "nat", "places", "short-orphans"})

    def __init__(self, kernel: Kernel | None = None) -> None:
        self.kernel = kernel or Kernel()
        self.client, self.server = FakeHost(self, "client"), FakeHost(self, "server")
        self.path = FakePath(self.line)
        self.lost = 0
        self.closed = False
        self.related = 0
        self.moved = 0.0
        self._ports: dict[str, dict[Side, int]] = {}
        self._lines: dict[Flow, Line] = {}
        self._free_ports = itertools.count(40_000)

    # -- the script ------------------------------------------------------------------------------------------------

    def sign(self, side: Side, sign: str, at_s: float, call: str = "recv", then: str | None = "EOF") -> None:
        """Have the newest connection's end on ``side`` notice, at an instant (s) that may lie in the future."""
        conn = list(self._ports)[-1]
        self._endpoint(side, conn).say("sign", conn, sign=sign, call=call, at=round(at_s * 1e9), then=then)

    def send(self, sender: Side, payload: int = 0, flags: str = ".", **fields: Any) -> None:
        """Have ``sender`` of the newest connection send a segment now; the router drops it where the path is cut."""
        list(self._lines.values())[-1].send(sender, payload, flags, **fields)

    # -- the protocol ----------------------------------------------------------------------------------------------

    def now(self) -> float:
        return time.monotonic()

    async def relate(self) -> None:
        self.related += 1

    def moved_s(self) -> float:
        return self.moved

    async def on_packets(self, flow: Flow, call: Callable[[Any], None] | None) -> None:
        self.line(flow).listener = call

    async def drain(self) -> None:
        """Nothing waits: every packet was handed over as it was sent."""

    def lost_packets(self) -> int:
        return self.lost

    def describe(self) -> dict[str, Any]:
        return {"kind": self.kind, "kernel": "6.18", "hz": 250, "hosts": {}}

    async def machine(self) -> dict[str, Any]:
        return {}

    async def gone(self) -> str:
        return await asyncio.Future()

    async def close(self) -> None:
        self.closed = True

    # -- how a connection opens ------------------------------------------------------------------------------------

    def port(self, side: Side, conn: str) -> int:
        return self._ports.setdefault(conn, {}).setdefault(side, next(self._free_ports))

    def line(self, flow: Flow) -> Line:
        return self._lines.setdefault(flow, Line(flow))

    def listened_to(self) -> list[Flow]:
        """Return the flows whose packets somebody still wants."""
        return [flow for flow, line in self._lines.items() if line.listener is not None]

    async def connect(self, conn: str, endpoint: FakeEndpoint, asked: dict[str, Any]) -> dict[str, Any]:
        """Shake hands and return when; where SYNs are dropped, wait until ``sign`` says how it ended."""
        line = self._line_of(conn)
        began = {**_bracket(), "settings": {**_DEFAULTS, **asked, "keepalive": bool(asked.get("keepalive"))}}
        endpoint.say("connecting", conn, **began)
        line.send("client", 0, "S")
        if line.cut_to:
            self.client.seen = SocketSeen(state="SYN_SENT", timer="retransmit")
            ended: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
            endpoint.listen_to(conn, lambda event: None if ended.done() else ended.set_result(event))
            return {**began, **await ended}
        line.send("server", 0, "SA")
        line.send("client", 0, ".")
        self._endpoint("server", conn).say("accepted", conn, port=line.flow.client_port)
        return {**began, "at": time.monotonic_ns()}

    def greet(self, conn: str, endpoint: FakeEndpoint) -> None:
        """A ping and its answer, unless the path is cut."""
        line = self._line_of(conn)
        side: Side = "client" if endpoint in self.client.endpoints.values() else "server"
        line.send(side, 1, "PA")
        if not line.cut_to:
            line.send(other(side), 1, "PA")
            endpoint.say("pong", conn, at=time.monotonic_ns())

    def close_window(self, conn: str, writer: Side) -> None:
        """The writer fills the other end's buffer, which says that its window is closed."""
        line = self._line_of(conn)
        line.send(writer, 1000, "PA")
        line.send(other(writer), 0, ".", window=0)

    def _endpoint(self, side: Side, conn: str) -> FakeEndpoint:
        """Return whoever holds ``conn`` there: it was asked to bind or to listen for it."""
        host = self.client if side == "client" else self.server
        return next(e for e in host.endpoints.values() if any(a.get("conn") == conn for _, a in e.asked))

    def _line_of(self, conn: str) -> Line:
        ports = self._ports[conn]
        return next(line for flow, line in self._lines.items() if flow.client_port == ports["client"])


if TYPE_CHECKING:  # the type checker holds the fake to what every lab answers to

    def _answers_alike(fake: FakeLab) -> Lab:
        return fake
