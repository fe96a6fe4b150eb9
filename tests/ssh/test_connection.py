"""A connection's bridge, start and end, against a server in this process that plays the agent."""

import asyncio
import json
import threading
import time

import pytest

from harness.errors import Unavailable
from harness.labs.agent import EndpointGone
from harness.labs.ssh import connect, connect_all
from harness.spec.hosts import Hosts, RemoteHost
from tests.ssh.server import ED, Server

READY = b'{"from":"agent","event":"ready","pid":1,"python":"3.9.1"}\n'


@pytest.fixture
def server():
    made = Server()
    made.open = True
    yield made
    made.close()


@pytest.fixture
def hosts(server, tmp_path):
    (tmp_path / "known").write_text(f"[127.0.0.1]:{server.port} {ED.get_name()} {ED.get_base64()}\n")
    (tmp_path / "config").write_text(
        f"UserKnownHostsFile {tmp_path / 'known'}\nGlobalKnownHostsFile none\nIdentityAgent none\nIdentityFile none\n"
    )
    client, server = (
        RemoteHost(side=side, name_typed=side, user="alice", name="127.0.0.1", port=server.port)
        for side in ("client", "server")
    )
    return Hosts(client=client, server=server, ssh_config=tmp_path / "config")


def lines(channel):
    """Yield the questions; the first line is the program's text."""
    with channel.makefile("rb") as file:
        next(file, None)
        yield from map(json.loads, file)


def agent(before=b""):
    """Play an agent that answers everything with the question's name."""

    def run(channel):
        channel.sendall(before + READY)
        for question in lines(channel):
            answer = {"from": "agent", "id": question["id"], "ok": {"did": question["do"]}}
            channel.sendall(json.dumps(answer).encode() + b"\n")
        channel.send_exit_status(0)

    return run


def our_threads():
    return {thread.name for thread in threading.enumerate()} & {
        "_pass_output",
        "_pass_input",
        "_note_errors",
        "_open",
        "_end",
    }


@pytest.mark.parametrize(
    "noise", [b"", b"Welcome to web\n", b"Welcome ", b'{"motd": 1}\n\xff\n[1]\nno newline', b"x" * 200_000 + b"\n"]
)
def test_questions_are_answered_whatever_the_profile_prints(server, hosts, noise):
    server.run = agent(noise)

    async def talk():
        connection = await connect(hosts.client, hosts)
        try:
            answers = await asyncio.gather(*(connection.agent.ask(f"ask{number}") for number in range(20)))
            assert [answer["did"] for answer in answers] == [f"ask{number}" for number in range(20)]
            assert connection.alive and connection.python == "3.9.1"
            assert connection.describe() == {
                "host": "client",
                "host_key": f"ssh-ed25519 {connection.host_key.fingerprint}",
                "python": "3.9.1",
            }
        finally:
            await connection.close()
        assert not connection.alive

    asyncio.run(talk())
    assert not our_threads()


def test_both_hosts_at_once(server, hosts):
    server.run = agent()

    async def talk():
        connections = await connect_all(hosts)
        assert [connection.host.side for connection in connections] == ["client", "server"]
        await asyncio.gather(*(connection.close() for connection in connections))

    asyncio.run(talk())
    assert not our_threads()


def test_one_host_that_fails_takes_the_other_with_it(server, hosts):
    def run(channel):
        if len(server.commands) == 1:
            agent()(channel)
        else:
            channel.recv(1)  # from here on the client knows that its command runs
            channel.sendall_stderr(b"first words\nsh: 1: python3: not found\n\n")
            channel.send_exit_status(127)

    server.run = run
    with pytest.raises(Unavailable, match=r"^(client|server): it has no python3 in its PATH"):
        asyncio.run(connect_all(hosts))
    assert not our_threads()


def test_a_connection_that_breaks_is_told_to_whoever_waits(server, hosts):
    def run(channel):
        channel.sendall(READY)
        for _ in lines(channel):
            channel.get_transport().sock.close()

    server.run = run

    async def talk():
        connection = await connect(hosts.client, hosts)
        with pytest.raises(EndpointGone, match="the agent has ended"):
            await connection.agent.ask("anything")
        # What is written later meets a broken pipe, and is told as the same.
        with pytest.raises(EndpointGone):
            async with asyncio.timeout(5):
                while True:
                    await connection.agent.ask("anything")
        began = time.monotonic()
        await connection.close()
        assert time.monotonic() - began < 1

    asyncio.run(talk())
    assert not our_threads()


def test_a_connection_that_is_cut_here_ends_at_once(server, hosts):
    server.run = agent()

    async def talk():
        connection = await connect(hosts.client, hosts)
        asked = asyncio.ensure_future(connection.agent.ask("now"))
        connection.abort()
        with pytest.raises(EndpointGone):
            await asked
            await connection.agent.ask("now")
            await asyncio.Future()
        assert not connection.alive
        await connection.close()

    asyncio.run(asyncio.wait_for(talk(), 5))
    assert not our_threads()


def test_an_agent_that_is_killed_in_its_start_is_told(server, hosts):
    def run(channel):
        channel.recv(1)
        channel.get_transport().sock.close()

    server.run = run
    with pytest.raises(Unavailable, match=r"^client: the connection broke before the agent ran"):
        asyncio.run(connect(hosts.client, hosts))
    assert not our_threads()


def test_an_agent_that_does_not_speak_is_not_waited_for_for_ever(server, hosts, monkeypatch):
    monkeypatch.setattr("harness.labs.ssh.command.PATIENCE_S", 0.05)
    server.run = lambda channel: list(lines(channel))
    with pytest.raises(Unavailable, match=r"^client: the agent did not start within 0\.05 s"):
        asyncio.run(connect(hosts.client, hosts))
    assert not our_threads()


def test_an_attempt_that_is_cancelled_leaves_no_thread(server, hosts):
    begun = threading.Event()

    def run(channel):
        begun.set()
        list(lines(channel))

    server.run = run

    async def cancel():
        attempt = asyncio.ensure_future(connect(hosts.client, hosts))
        while not begun.is_set():
            await asyncio.sleep(0.001)
        attempt.cancel()
        with pytest.raises(asyncio.CancelledError):
            await attempt

    asyncio.run(cancel())
    assert not our_threads()


def test_much_on_standard_error_stops_nothing(server, hosts):
    def run(channel):
        for _ in range(100):
            channel.sendall_stderr(b"noise " * 6000)  # more than any window
        agent()(channel)

    server.run = run

    async def talk():
        connection = await connect(hosts.client, hosts)
        await connection.agent.ask("now")
        await connection.close()

    asyncio.run(asyncio.wait_for(talk(), 10))
