"""One host: logged in, its agent running. Nothing here blocks the event loop: logging in is done in a thread."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from paramiko.channel import Channel
from paramiko.ssh_exception import SSHException

from harness.errors import Unavailable
from harness.labs.agent import Agent
from harness.labs.ssh import command
from harness.labs.ssh.bridge import Bridge
from harness.labs.ssh.login import Session, cut, log_in
from harness.labs.ssh.prompts import Prompts
from harness.labs.ssh.reach import Opened
from harness.spec.hosts import Hosts, RemoteHost

P = ParamSpec("P")
T = TypeVar("T")

# An agent whose input has ended undoes what it did and ends; its guard on the host does so for one that does not.
_ENDING_S = 3.0


class Connection:
    """``control``: address and port that the SSH connection goes to; None by way of another host or a command."""

    def __init__(self, host: RemoteHost, session: Session, opened: Opened, bridge: Bridge) -> None:
        self.host = host
        self.host_key = session.host_key
        self.control = session.control
        self.python = ""
        self._session, self._opened, self._bridge = session, opened, bridge
        self.agent = Agent(host.name_typed, bridge.source, bridge.sink, command.PATIENCE_S)

    @property
    def alive(self) -> bool:
        """Whether the connection stands, as far as anybody knows."""
        return not self._bridge.finished and bool(self._session.transport.is_active())

    @property
    def reached(self) -> bool:
        """Whether the SSH connection stands, whatever became of the agent."""
        return bool(self._session.transport.is_active())

    def describe(self) -> dict[str, Any]:
        """Return what a record says of the host."""
        return {"host": self.host.name_typed, "host_key": str(self.host_key), "python": self.python}

    async def started(self) -> None:
        """Wait until the agent runs. Raises Unavailable, saying what the host lacks."""
        try:
            self.python = (await self.agent.started())["python"]
        except Unavailable as error:
            if not self._session.transport.is_active():
                raise Unavailable(f"{self.host.name_typed}: the connection broke before the agent ran") from None
            if not self._bridge.finished:
                raise error from None
            ended = await in_thread(self._bridge.ended)
            raise command.no_agent(self.host.name_typed, ended, self.host.become) from None

    def abort(self) -> None:
        """Cut the connection at once, as for a host that does not answer; whoever waits for the agent is told."""
        cut(self._session.transport)

    async def close(self) -> None:
        """End the agent, give it time to undo what it did, and close the connection."""
        self.agent.close()
        await in_thread(self._end)

    def _end(self) -> None:
        if self.alive:
            self._bridge.wait(_ENDING_S)
        self._opened.close()
        self._bridge.wait(_ENDING_S)


async def connect(host: RemoteHost, hosts: Hosts, prompts: Prompts | None = None) -> Connection:
    """Log in to ``host`` and start its agent. Raises Unavailable: one line, which names the host as it was typed."""
    asker = prompts or Prompts()
    opened = Opened()
    connection = None
    try:
        session, channel = await in_thread(_open, host, hosts, asker, opened)
        connection = Connection(host, session, opened, Bridge(channel))
        await connection.started()
    except BaseException:
        if connection is None:
            await asyncio.shield(in_thread(opened.close))
        else:
            await connection.close()
        raise
    finally:
        if prompts is None:
            asker.close()
    return connection


async def connect_all(hosts: Hosts, prompts: Prompts | None = None) -> tuple[Connection, ...]:
    """Connect to every host at once, in the order of ``hosts.all``. Raises the first Unavailable, with all closed."""
    asker = prompts or Prompts()
    try:
        results = await asyncio.gather(*(connect(host, hosts, asker) for host in hosts.all), return_exceptions=True)
    finally:
        if prompts is None:
            asker.close()
    connections = [result for result in results if isinstance(result, Connection)]
    errors = [result for result in results if isinstance(result, BaseException)]
    if errors:
        await asyncio.gather(*(connection.close() for connection in connections))
        raise errors[0]
    return tuple(connections)


def _open(host: RemoteHost, hosts: Hosts, prompts: Prompts, opened: Opened) -> tuple[Session, Channel]:
    session = log_in(host, hosts.ssh_config, prompts, opened)
    try:
        channel = session.transport.open_session()
        channel.exec_command(command.agent_command(host.become))
    except (SSHException, EOFError, OSError) as error:
        raise Unavailable(f"{host.name_typed}: the login works, but no command can be run: {error}") from None
    return session, channel


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call ``function`` in a thread of its own, which ends with it and holds up nobody's exit."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def tell(answer: Callable[[], None]) -> None:
        def unless_cancelled() -> None:
            if not done.done():
                answer()

        with contextlib.suppress(RuntimeError):  # the loop has been closed: nobody waits
            loop.call_soon_threadsafe(unless_cancelled)

    def run() -> None:
        try:
            result = function(*args, **kwargs)
        except BaseException as error:
            failure = error
            tell(lambda: done.set_exception(failure))
        else:
            tell(lambda: done.set_result(result))

    thread = threading.Thread(target=run, name=function.__name__, daemon=True)
    thread.start()
    try:
        return await done
    finally:
        if not done.cancelled():
            thread.join()  # it has told; this is its last step
