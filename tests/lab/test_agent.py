"""The controller's side: it drives a real agent over two pipes."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys

import pytest

from harness.endpoints import bundle
from harness.errors import Refused, Unavailable
from harness.labs import agent as agents
from harness.labs.agent import Agent, EndpointGone


@contextlib.asynccontextmanager
async def running(command=None):
    """A process and its Agent, which runs by then unless the command is another."""
    process = subprocess.Popen(
        command or (sys.executable, *bundle.COMMAND),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    sink, source = os.dup(process.stdin.fileno()), os.dup(process.stdout.fileno())
    process.stdin.close()
    process.stdout.close()
    agent = Agent("client", source, sink)
    try:
        if command is None:
            await agent.started()
        yield agent, process
    finally:
        agent.close()
        assert process.wait(5) is not None


def within(seconds=5):
    """Run a coroutine function as a test, bounded in time."""

    def decorate(test):
        def run():
            asyncio.run(asyncio.wait_for(test(), seconds))

        run.__name__ = test.__name__
        return run

    return decorate


def heard(endpoint, conn, event):
    """Return a future of the next such event of ``conn``."""
    found = asyncio.get_running_loop().create_future()
    endpoint.listen_to(conn, lambda e: found.set_result(e) if e["event"] == event and not found.done() else None)
    return found


async def connected(agent, conn="c0"):
    a, b = await agent.endpoint("a"), await agent.endpoint("b")
    port = (await b.ask("listen", conn=conn, host="127.0.0.1"))["port"]
    await a.ask("bind", conn=conn, host="127.0.0.1")
    accepted = heard(b, conn, "accepted")
    await a.ask("connect", conn=conn, host="127.0.0.1", port=port)
    await accepted
    return a, b


@within()
async def test_questions_are_answered_also_when_many_are_asked_at_once():
    async with running() as (agent, _):
        answers = await asyncio.gather(*(agent.ask("now") for _ in range(50)))
        assert len({answer["at"] for answer in answers}) == 50


@within()
async def test_an_endpoint_is_started_once_however_often_it_is_wanted():
    async with running() as (agent, _):
        first, second = await asyncio.gather(agent.endpoint("main"), agent.endpoint("main"))
        assert first is second is await agent.endpoint("main")
        assert first.name == "main"
        assert await agent.endpoint("other") is not first


@within()
async def test_events_reach_whoever_listens_to_their_connection():
    async with running() as (agent, _):
        a, b = await connected(agent)
        a.listen_to("another", lambda event: pytest.fail("heard of another connection"))
        pong, sign = heard(b, "c0", "pong"), heard(a, "c0", "sign")
        await b.ask("ping", conn="c0")
        assert (await pong)["from"] == "b"
        await b.ask("close", conn="c0", how="reset")
        assert (await sign)["sign"] == "ECONNRESET"


@within()
async def test_what_the_kernel_refuses_is_refused_by_its_name():
    async with running() as (agent, _):
        a, _ = await connected(agent)
        with pytest.raises(Refused, match=r"^client: the kernel refuses count: Invalid argument$") as refused:
            await a.ask("set", conn="c0", asked={"count": 128})
        assert refused.value.exit_code == 2
        assert (await a.ask("set", conn="c0", asked={"count": 127}))["settings"]["count"] == 127


@within()
async def test_asking_what_was_killed_says_that_it_is_gone():
    async with running() as (agent, _):
        a, _ = await connected(agent)
        assert (await agent.ask("kill", name="a"))["signal"] == signal.SIGKILL
        with pytest.raises(EndpointGone, match="no such endpoint") as gone:
            await a.ask("ping", conn="c0")
        assert gone.value.exit_code == 3
        with pytest.raises(EndpointGone):
            await agent.ask("kill", name="a")
        again = await agent.endpoint("a")
        assert again is not a


@within()
async def test_asking_about_a_connection_that_is_not_there_costs_the_others_nothing():
    async with running() as (agent, _):
        a, b = await connected(agent)
        with pytest.raises(EndpointGone, match="no connection 'c1'"):
            await a.ask("ping", conn="c1")
        pong = heard(a, "c0", "pong")
        await a.ask("ping", conn="c0")
        assert await pong
        await b.ask("close", conn="c0", how="reset")


@within()
async def test_a_question_that_its_endpoint_takes_to_the_grave_is_not_waited_for():
    async with running() as (agent, _):
        a, _ = await connected(agent)
        await agent.ask("stop", name="a")
        asked = asyncio.create_task(a.ask("connect", conn="c1", host="127.0.0.1", port=9))  # one without a time limit
        await agent.ask("now")  # so that it has been passed on
        await agent.ask("kill", name="a")
        with pytest.raises(EndpointGone, match="client: a has ended"):
            await asked


@within()
async def test_a_stopped_endpoint_does_not_answer_in_time():
    async with running() as (agent, _):
        a, _ = await connected(agent)
        await agent.ask("stop", name="a")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(agents, "_ANSWER_WITHIN_S", 0.01)
            with pytest.raises(EndpointGone, match=r"client: a did not answer ping within 0.01 s"):
                await a.ask("ping", conn="c0")
        await agent.ask("continue", name="a")
        state = await a.ask("state", conn="c0")
        assert state["bytes_out"] == 1  # it was done late, and its late answer was not taken for this one


@within()
async def test_an_agent_that_dies_is_gone_for_whoever_asked_and_whoever_asks():
    async with running() as (agent, process):
        stopped = await agent.endpoint("stopped")
        await agent.ask("stop", name="stopped")
        asked = asyncio.create_task(stopped.ask("instant", conn="c0"))
        await agent.ask("now")
        process.kill()
        with pytest.raises(EndpointGone, match="client: the agent has ended"):
            await asked
        process.wait()
        with pytest.raises(EndpointGone, match="client: the agent has ended"):
            await agent.ask("now")


@within()
async def test_an_agent_that_does_not_come_up_is_said_at_once():
    async with running((sys.executable, "-c", "import sys; sys.stdin.read(100)")) as (agent, _):
        with pytest.raises(Unavailable, match="client: the agent ended before it ran") as missing:
            await agent.started()
        assert missing.value.exit_code == 4


@within()
async def test_an_agent_that_never_speaks_is_waited_for_no_longer_than_said():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(agents, "_ANSWER_WITHIN_S", 0.01)
        async with running((sys.executable, "-c", "import sys; sys.stdin.read()")) as (agent, _):
            with pytest.raises(Unavailable, match=r"did not start within 0.01 s"):
                await agent.started()


@within()
async def test_closing_ends_the_agent_and_its_endpoints():
    async with running() as (agent, process):
        pid = (await agent.ask("fork", name="a"))["pid"]
    assert process.returncode == 0
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
