"""Logging in to real sshd, and what its hosts may lack; the agent's coming and going."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import threading
import time

import msgspec
import pytest

from harness.doctor.hosts import examine_hosts
from harness.endpoints import bundle
from harness.errors import Unavailable
from harness.labs.agent import EndpointGone
from harness.labs.ssh import connect, connect_all
from harness.labs.ssh.command import agent_command
from harness.labs.ssh.prompts import Prompts
from harness.report.hosts import ready, summary
from harness.spec.hosts import read_hosts


def hosts_of(pair):
    return read_hosts(pair.hosts_file)


def refusal(pair, hosts=None):
    """Return the line with which no connection to the client comes about."""
    hosts = hosts or hosts_of(pair)
    with pair.entered(), pytest.raises(Unavailable) as error:
        asyncio.run(connect(hosts.client, hosts))
    line = str(error.value)
    assert "\n" not in line and line.startswith(f"{hosts.client.name_typed}: ")
    assert pair.becomes_alone("client")
    return line.partition(": ")[2]


async def started_and_closed(hosts):
    began = time.monotonic()
    connections = await connect_all(hosts)
    took = time.monotonic() - began
    answers = await asyncio.gather(*(connection.agent.ask("now") for connection in connections))
    assert all(answer["at"] > 0 for answer in answers)
    await asyncio.gather(*(connection.close() for connection in connections))
    return took


def test_both_hosts_are_there_within_a_second_and_left_as_they_were(pair):
    before = set(threading.enumerate())
    with pair.entered():
        times = [asyncio.run(started_and_closed(hosts_of(pair))) for _ in range(3)]
    assert min(times) < 1
    assert set(threading.enumerate()) <= before
    for name in pair.hosts:
        assert pair.becomes_alone(name)
        assert pair.files(name) == []


def test_a_question_takes_no_longer_than_the_network(pair):
    async def ask():
        hosts = hosts_of(pair)
        connection = await connect(hosts.client, hosts)
        took = []
        for _ in range(200):
            began = time.monotonic()
            await connection.agent.ask("now")
            took.append(time.monotonic() - began)
        await connection.close()
        return sorted(took)

    with pair.entered():
        assert asyncio.run(ask())[50] < 0.001


def test_a_slow_profile_that_prints_and_a_host_that_cannot_be_written(make_pair):
    made = make_pair(prelude="printf Welcome; sleep 1; echo; echo '{\"motd\": 1}'; printf 'last '", read_only=True)
    with made.entered():
        assert asyncio.run(started_and_closed(hosts_of(made))) > 1


def test_an_unprivileged_login_becomes_root(make_pair):
    made = make_pair(user="alice", become="/run/host/bin/become", router=True)
    with made.entered():
        checks = asyncio.run(examine_hosts(hosts_of(made)))
    assert summary(checks) == "These hosts can run experiments." and ready(checks)
    assert {check.side for check in checks} == {"client", "server", "router"}
    assert all(made.becomes_alone(name) for name in made.hosts)


def test_a_login_that_is_not_root_is_told_by_the_doctor(make_pair):
    made = make_pair(user="alice", one_device=True)
    with made.entered():
        checks = asyncio.run(examine_hosts(hosts_of(made)))
    assert summary(checks) == "These hosts cannot run an experiment: client's privilege, server's privilege missing."
    apart = next(check for check in checks if check.name == "separate control path")
    assert apart.present is False and apart.how == "data and SSH both go by eth0"


def test_a_host_that_refuses_root(make_pair):
    line = refusal(make_pair(user="alice", become="/run/host/bin/refuse"))
    assert line == (
        "it does not let its user become root by '/run/host/bin/refuse': sudo: a password is required (exit status 1); "
        "let it do so without a password"
    )


def test_a_host_without_python(make_pair):
    assert refusal(make_pair(python=False)).startswith("it has no python3 in its PATH; Python 3.8 or later")


def test_a_user_that_the_host_does_not_know(pair):
    hosts = hosts_of(pair)
    stranger = msgspec.structs.replace(hosts.client, user="mallory", name_typed="mallory@client")
    line = refusal(pair, msgspec.structs.replace(hosts, client=stranger))
    assert line == f"permission denied for mallory; the host allows publickey; tried: {pair.user_key}"


def test_an_unknown_and_a_changed_host_key_and_the_commands_that_accept_them(pair):
    kept = pair.known_hosts.read_text()
    try:
        pair.known_hosts.write_text("")
        unknown = refusal(pair)
        assert unknown.startswith("its host key is not known: ssh-ed25519 SHA256:")
        shown = subprocess.run(
            ["ssh-keygen", "-lf", f"{pair.keys.private('client')}.pub"], capture_output=True, text=True, check=True
        )
        assert shown.stdout.split()[1] in unknown
        pair.known_hosts.write_text(kept.replace(pair.keys.public("client"), pair.keys.public("stranger")))
        changed = refusal(pair)
        assert changed.startswith("ITS HOST KEY HAS CHANGED")
        for line, before in ((unknown, ""), (changed, pair.known_hosts.read_text())):
            pair.known_hosts.write_text(before)
            subprocess.run(line.partition("accept it with: ")[2], shell=True, check=True, capture_output=True)
            hosts = hosts_of(pair)
            with pair.entered():
                asyncio.run(connect_and_close(hosts.client, hosts))
    finally:
        pair.known_hosts.write_text(kept)


async def connect_and_close(host, hosts):
    connection = await connect(host, hosts)
    described = connection.describe()
    await connection.close()
    return described


def test_by_way_of_the_other_host(pair):
    config = pair.folder / "by_way"
    config.write_text(f"Host server\n  ProxyJump client\n{pair.ssh_config.read_text()}")
    hosts = msgspec.structs.replace(hosts_of(pair), ssh_config=config)
    with pair.entered():
        assert asyncio.run(connect_and_close(hosts.server, hosts))["host"] == "server"
    assert pair.becomes_alone("client") and pair.becomes_alone("server")


def test_keys_of_an_agent(pair, monkeypatch):
    folder = pair.folder
    started = subprocess.Popen(["ssh-agent", "-D", "-a", folder / "agent"], stdout=subprocess.PIPE)
    try:
        assert started.stdout.readline()  # it listens
        monkeypatch.setenv("SSH_AUTH_SOCK", str(folder / "agent"))
        subprocess.run(["ssh-add", "-q", pair.user_key], check=True, capture_output=True)
        config = folder / "by_agent"
        config.write_text(
            "Host *\n  IdentityFile none\n"
            + pair.ssh_config.read_text()
            .replace("IdentitiesOnly", "#")
            .replace(f"IdentityFile {pair.user_key}", "Compression no")
        )
        hosts = msgspec.structs.replace(hosts_of(pair), ssh_config=config)
        with pair.entered():
            asyncio.run(connect_and_close(hosts.client, hosts))
    finally:
        started.kill()
        started.wait()
        started.stdout.close()


def test_a_key_behind_a_passphrase(pair, tmp_path):
    key = tmp_path / "key"
    shutil.copy(pair.user_key, key)
    subprocess.run(["ssh-keygen", "-q", "-p", "-N", "open sesame", "-f", key], check=True, capture_output=True)
    config = tmp_path / "config"
    config.write_text(pair.ssh_config.read_text().replace(str(pair.user_key), str(key)))
    hosts = msgspec.structs.replace(hosts_of(pair), ssh_config=config)
    answers = iter(["wrong", "open sesame"])

    async def both():
        prompts = Prompts(lambda prompt: next(answers))  # asked once for the two of them
        for connection in await connect_all(hosts, prompts):
            await connection.close()

    with pair.entered():
        asyncio.run(both())
        with pytest.raises(Unavailable, match=rf"not opened for want of a passphrase: {key} \(ssh-add it\)"):
            config.write_text("BatchMode yes\n" + config.read_text())
            asyncio.run(connect(hosts.client, hosts))


def test_an_agent_that_is_killed_is_told_at_once(pair):
    async def kill():
        hosts = hosts_of(pair)
        connection = await connect(hosts.client, hosts)
        (agent,) = [pid for pid, words in pair.processes("client").items() if words.startswith("python3")]
        os.kill(agent, signal.SIGKILL)
        with pytest.raises(EndpointGone, match="the agent has ended"):
            await connection.agent.ask("now")
        await connection.close()

    with pair.entered():
        asyncio.run(asyncio.wait_for(kill(), 5))
    assert pair.becomes_alone("client")


@pytest.mark.slow
def test_hosts_that_die_without_a_word_are_noticed_within_ten_seconds(make_pair):
    """One while it is asked something, the other while nothing is said."""
    made = make_pair()

    async def wait_for_the_end():
        client, server = await connect_all(hosts_of(made))
        made.power_off("client")
        made.cut("server", "control")
        began = time.monotonic()
        with pytest.raises(EndpointGone, match="the agent has ended"):
            await client.agent.ask("now")
        async with asyncio.timeout(10):
            while server.alive:
                await asyncio.sleep(0.01)
        took = time.monotonic() - began
        assert not client.alive
        began = time.monotonic()
        await asyncio.gather(client.close(), server.close())
        return took, time.monotonic() - began

    with made.entered():
        noticed, closed = asyncio.run(wait_for_the_end())
    assert noticed < 10 and closed < 1


@pytest.mark.parametrize("shell", ["sh", "bash", "dash", "zsh", "fish", "csh", "tcsh", "busybox"])
def test_the_command_is_understood_by_a_shell(shell):
    path = shutil.which(shell)
    if path is None:
        pytest.skip(f"there is no {shell} here")
    command = agent_command("env LC_ALL=C").replace("python3", sys.executable, 1)
    words = [path, "sh", "-c", command] if shell == "busybox" else [path, "-c", command]
    ran = subprocess.run(words, input=bundle.source(), capture_output=True, timeout=20, check=True)
    assert ran.stdout.startswith(b'{"from":"agent","event":"ready"')
