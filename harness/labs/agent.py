"""Drives a host's agent over two pipes: questions out, answers and events in. The same for every kind of lab."""

import asyncio
import contextlib
import itertools
import os
from collections.abc import Callable
from typing import Any

from harness.endpoints import bundle, wire
from harness.errors import HalfopenError, Refused, Unavailable

_ANSWER_WITHIN_S = 10.0
# How the agent's first line begins. A login shell's profile may print before it, and not even end its line.
_READY = b'{"from":"agent","event":"ready"'

Event = dict[str, Any]


class EndpointGone(HalfopenError):
    """The process that was asked has ended, or no longer answers."""

    exit_code = 3


class AgentEndpoint:
    """One endpoint process, behind its host's agent."""

    def __init__(self, agent: "Agent", name: str) -> None:
        self.name = name
        self._agent = agent
        self._listeners: dict[str, Callable[[Event], None]] = {}
        self.ready: asyncio.Future[Event] = asyncio.get_running_loop().create_future()

    async def ask(self, do: str, **arguments: Any) -> Event:
        return await self._agent.ask(do, to=self.name, **arguments)

    def listen_to(self, conn: str, call: Callable[[Event], None]) -> None:
        self._listeners[conn] = call

    def hear(self, event: Event) -> None:
        if event["event"] == "ready" and not self.ready.done():
            self.ready.set_result(event)
        listener = self._listeners.get(event.get("conn", ""))
        if listener is not None:
            listener(event)


class Agent:
    """``source`` and ``sink`` are the agent's standard output and input (descriptors; closed by ``close``).

    Wait for ``started`` before the first question: what is sent sooner is swallowed with the program's text.
    """

    def __init__(self, host: str, source: int, sink: int, patience_s: float | None = None) -> None:
        self._host = host
        self._patience_s = patience_s or _ANSWER_WITHIN_S
        self._source, self._sink = source, sink
        self._closed = False
        self._lines = wire.Lines()
        self._ids = itertools.count(1)
        self._asked: dict[int, tuple[str, asyncio.Future[Event]]] = {}
        self._endpoints: dict[str, AgentEndpoint] = {}
        # Told of what the agent says unasked, beside that it runs.
        self.on_event: Callable[[Event], None] | None = None
        # Called when it has ended, and nobody closed it.
        self.on_end: Callable[[], None] | None = None
        self._loop = asyncio.get_running_loop()
        self._ready: asyncio.Future[Event] = self._loop.create_future()
        os.set_blocking(source, False)
        self._loop.add_reader(source, self._on_output)
        # An agent that ended before it had read everything is told of by the end of its output.
        with contextlib.suppress(BrokenPipeError):
            wire.write_all(sink, bundle.source())

    async def started(self) -> Event:
        """Wait until the agent runs; return what it says of itself. Raises Unavailable where it does not come up."""
        try:
            async with asyncio.timeout(self._patience_s):
                return await asyncio.shield(self._ready)
        except TimeoutError:
            raise Unavailable(f"{self._host}: the agent did not start within {self._patience_s:g} s") from None

    async def endpoint(self, name: str) -> AgentEndpoint:
        known = self._endpoints.get(name)
        if known is None:
            known = self._endpoints[name] = AgentEndpoint(self, name)
            await self.ask("fork", name=name)
        try:
            async with asyncio.timeout(_ANSWER_WITHIN_S):
                await asyncio.shield(known.ready)
        except TimeoutError:
            raise EndpointGone(f"{self._host}: {name} did not start within {_ANSWER_WITHIN_S:g} s") from None
        return known

    async def ask(self, do: str, to: str = "agent", **arguments: Any) -> Event:
        """Ask, and wait for the answer; a "connect" may take as long as the kernel takes.

        Raises EndpointGone where nothing answers, Refused where the kernel refused an option.
        """
        if self._closed:  # its descriptors may be somebody else's by now
            raise EndpointGone(f"{self._host}: the agent has ended")
        question = next(self._ids)
        answer: asyncio.Future[Event] = self._loop.create_future()
        self._asked[question] = to, answer
        try:
            wire.write_all(self._sink, wire.pack({"id": question, "to": to, "do": do, **arguments}))
            # Not wait_for: before Python 3.12 it forgets that it was cancelled where the answer comes at that moment.
            async with asyncio.timeout(None if do == "connect" else _ANSWER_WITHIN_S):
                return await answer
        except TimeoutError:
            raise EndpointGone(f"{self._host}: {to} did not answer {do} within {_ANSWER_WITHIN_S:g} s") from None
        except BrokenPipeError:
            self._tell_end()
            raise EndpointGone(f"{self._host}: the agent has ended") from None
        finally:
            self._asked.pop(question, None)

    def close(self) -> None:
        """End the agent by ending its input; it kills its endpoints and ends."""
        if self._closed:
            return
        self._closed = True
        self._loop.remove_reader(self._source)
        for descriptor in (self._sink, self._source):
            with contextlib.suppress(OSError):
                os.close(descriptor)

    def _on_output(self) -> None:
        try:
            data = wire.read(self._source)
        except BlockingIOError:
            return
        if not data:
            self._ended()
            return
        for line in self._lines.feed(data):
            message = self._understood(line)
            if message is not None:
                self._hear(message)

    def _understood(self, line: bytes) -> Event | None:
        """Return the agent's message; None for what is not its own."""
        if not self._ready.done():
            start = line.find(_READY)
            if start < 0:
                return None
            line = line[start:]
        try:
            message = wire.unpack(line)
        except ValueError:
            return None
        return message if isinstance(message, dict) else None

    def _hear(self, message: Event) -> None:
        if "id" in message:
            _, answer = self._asked.get(message["id"], ("", None))
            if answer is None or answer.done():
                return
            if "error" in message:
                answer.set_exception(_failure(self._host, message))
            else:
                answer.set_result(message["ok"])
        elif message["from"] == "agent":
            if message["event"] == "ready":
                self._ready.set_result(message)
            elif self.on_event is not None:
                self.on_event(message)
        else:
            endpoint = self._endpoints.get(message["from"])
            if endpoint is not None:
                endpoint.hear(message)
                if message["event"] == "gone":
                    del self._endpoints[endpoint.name]
                    self._no_answer(endpoint.name, f"{endpoint.name} has ended")

    def _ended(self) -> None:
        self._loop.remove_reader(self._source)
        self._tell_end()
        if not self._ready.done():
            self._ready.set_exception(
                Unavailable(f"{self._host}: the agent ended before it ran; does python3 run there?")
            )
            self._ready.exception()  # noted: nobody need be waiting
        self._no_answer(None, "the agent has ended")

    def _tell_end(self) -> None:
        call, self.on_end = self.on_end, None
        if call is not None:
            call()

    def _no_answer(self, name: str | None, why: str) -> None:
        """Tell whoever still waits for an answer of ``name`` (None: of anybody) that none will come."""
        for to, answer in self._asked.values():
            if name in (None, to) and not answer.done():
                answer.set_exception(EndpointGone(f"{self._host}: {why}"))


def _failure(host: str, message: Event) -> HalfopenError:
    if message.get("what"):
        return Refused(f"{host}: the kernel refuses {message['what']}: {message['text']}")
    return EndpointGone(f"{host}: {message['from']}: {message['error']}: {message.get('text')}")
