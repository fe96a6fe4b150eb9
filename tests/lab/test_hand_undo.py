"""Whoever dies, the fault goes: each means by which it is undone, watched from a second agent on the same host."""

import contextlib
import os
import select
import signal
import stat
import subprocess
from pathlib import Path

import pytest

from harness.endpoints import guard, wire
from harness.endpoints.loop import now
from tests.lab.bundled import Open
from tests.lab.nethost import CUT, HEAL, NOTHING, alone, beside, tables

WITHIN_S = 5.0


class Cut:
    """A host with a connection over its loopback, cut: the undoing is promised first. ``watcher`` is not concerned."""

    def __init__(self, lease=0.0, *wrapper):
        self.agent = alone(*wrapper)
        self.watcher = beside(self.agent)
        for name in ("a", "b"):
            self.watcher.fork(name)
        self.open = Open(self.watcher)
        if lease:
            self.agent.ask("lease", seconds=lease)
        self.promised = self.agent.ask("promise", name="cut", undo=[HEAL])
        self.guard = os.pidfd_open(self.promised["guard"])
        self.put = self.agent.ask("netlink", **CUT)
        assert self.put["errno"] == 0 and self.promised["at"] <= self.put["before"]
        assert tables(self.watcher) == 1
        self.open.ask("ping")

    def healed(self):
        """Wait until data comes through again, and return when (ns); nothing is left by then or soon after."""
        pong = self.open.event("pong")["at"]
        assert tables(self.watcher) == 0
        return pong

    def guard_ended(self):
        return bool(select.select([self.guard], [], [], WITHIN_S)[0])

    def close(self):
        os.close(self.guard)
        for agent in (self.agent, self.watcher):
            with contextlib.suppress(ProcessLookupError):
                agent.process.send_signal(signal.SIGCONT)
            if not agent.process.stdin.closed:
                agent.end()


@pytest.fixture
def cut():
    with contextlib.ExitStack() as stack:

        def made(*arguments):
            found = Cut(*arguments)
            stack.callback(found.close)
            return found

        yield made


def test_undone_when_the_input_ends(cut):
    host = cut()
    ended = now()
    assert host.agent.end() == (0, "")
    assert host.healed() > ended
    assert host.guard_ended()


def test_undone_when_the_lease_runs_out_with_the_link_still_open(cut):
    host = cut(0.4)
    asked = now()
    assert host.agent.process.wait(WITHIN_S) == 0
    assert now() - asked >= 300_000_000
    assert host.healed() > asked + 300_000_000
    assert host.guard_ended()


def test_undone_when_the_lease_runs_out_while_nobody_reads(cut):
    # A link that is cut takes nothing more: the agent would wait for ever to be rid of an answer.
    host = cut(0.4)
    stdin, question = host.agent.process.stdin, wire.pack({"id": 0, "to": "agent", "do": "now"})
    os.set_blocking(stdin.fileno(), False)
    while select.select([], [stdin], [], 0.1)[1] and stdin.write(question) == len(question):
        pass  # until it reads no more
    assert host.healed()
    assert host.agent.process.wait(WITHIN_S) == 0
    assert host.guard_ended()


def test_undone_when_the_agent_is_killed(cut):
    host = cut()
    killed = now()
    host.agent.process.kill()
    assert host.agent.process.wait(WITHIN_S) == -signal.SIGKILL
    assert host.healed() > killed
    assert host.guard_ended()


def test_undone_when_the_agent_is_stuck(cut):
    host = cut(0.2)
    host.agent.process.send_signal(signal.SIGSTOP)
    assert host.guard_ended()
    assert host.healed()
    host.agent.process.send_signal(signal.SIGCONT)
    assert host.agent.process.wait(WITHIN_S) == 0  # it is not to go on as if the fault still were


def test_undone_when_the_guard_is_killed_or_asked_to_end(cut):
    for number in (signal.SIGKILL, signal.SIGTERM):
        host = cut()
        signal.pidfd_send_signal(host.guard, number)
        assert host.agent.process.wait(WITHIN_S) == 0
        assert host.healed()


def test_a_lease_lasts_as_long_as_something_is_heard(cut):
    host = cut(0.3)
    until = now() + 900_000_000  # longer than the guard has to live
    while now() < until:
        host.agent.ask("now")
        select.select([host.guard], [], [], 0.05)
    assert tables(host.watcher) == 1
    host.agent.ask("lease", seconds=0)
    assert not select.select([host.guard, host.agent.process.stdout], [], [], 0.6)[0]
    assert tables(host.watcher) == 1


def test_what_is_undone_or_released_is_no_longer_the_guards(cut):
    host = cut()
    done = host.agent.ask("undo", name="cut")
    assert done["errno"] == 0 and host.put["after"] <= done["before"] <= done["after"]
    assert host.healed() >= done["before"]
    assert host.agent.refused("undo", name="cut")
    host.agent.ask("promise", name="again", undo=[HEAL])
    host.agent.ask("netlink", **CUT)
    host.agent.ask("release", name="again")
    host.agent.process.kill()
    assert host.guard_ended()
    assert tables(host.watcher) == 1


def test_an_undoing_that_fails_stays_promised(cut):
    host = cut()
    refused = {"write": {"path": "/proc/sys/net/ipv4/tcp_retries2", "text": "no number"}}
    host.agent.ask("promise", name="bad", undo=[refused, {"netlink": NOTHING}])
    for _ in range(2):
        assert host.agent.ask("undo", name="bad")["text"] == os.strerror(22)
    host.agent.ask("release", name="bad")


def test_the_youngest_is_undone_first_and_a_new_promise_takes_the_place_of_its_namesake(cut):
    host = cut()
    path = "/proc/sys/net/ipv4/tcp_retries2"
    old = host.agent.ask("sysctl", name="net.ipv4.tcp_retries2")["value"]
    for name, value in (("first", 5), ("second", 6), ("first", 7), ("third", 8), ("third", 9)):
        host.agent.ask("promise", name=name, undo=[{"write": {"path": path, "text": str(value)}}])
    host.agent.process.kill()
    assert host.guard_ended()
    assert host.watcher.ask("sysctl", name="net.ipv4.tcp_retries2")["value"] == 6 != old


def test_a_sysctl_gets_its_old_value_back_when_the_agent_is_killed(cut):
    host = cut()
    name = "net.ipv4.tcp_syn_retries"
    old = host.agent.ask("sysctl", name=name)["value"]
    assert host.agent.ask("sysctl", name=name, value=old + 3)["value"] == old + 3
    host.agent.process.kill()
    assert host.guard_ended()
    assert host.watcher.ask("sysctl", name=name)["value"] == old


def test_the_guard_holds_nothing_of_its_agents(cut):
    host = cut()
    folder = Path(f"/proc/{host.promised['guard']}")
    open_files = {each.name: each.stat() for each in (folder / "fd").iterdir()}
    assert sorted(open_files) == ["0", "1", "2"]
    assert stat.S_ISSOCK(open_files["0"].st_mode)
    assert {(folder / "fd" / name).readlink() for name in "12"} == {Path("/dev/null")}
    assert (folder / "cwd").readlink() == Path("/")
    session = os.getsid(host.promised["guard"])
    assert session not in (os.getsid(host.agent.process.pid), host.promised["guard"])
    assert host.promised["how"] == "fork"


def test_endpoints_do_not_keep_the_guard_from_its_agents_end(cut):
    host = cut()
    pid = host.agent.fork("late")
    assert host.agent.ask("stop", name="late")["stopped"]
    links = {each.readlink().name for each in Path(f"/proc/{pid}/fd").iterdir()}
    mine = {each.readlink().name for each in Path(f"/proc/{host.agent.process.pid}/fd").iterdir()}
    assert not {each for each in links & mine if each.startswith("socket:")}
    host.agent.process.kill()
    assert host.healed() and host.guard_ended()


READ_ONLY = (
    "unshare",
    "--mount",
    "sh",
    "-c",
    'mount -o remount,bind,ro / && ! touch /tmp/x 2>/dev/null; exec "$@"',
    "sh",
)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make its file system read-only")
def test_a_read_only_file_system_is_no_hindrance(cut):
    host = cut(0, *READ_ONLY)
    host.agent.process.kill()
    assert host.healed() and host.guard_ended()


@pytest.mark.parametrize("fails", [False, True])
def test_where_systemd_runs_it_starts_the_guard(tmp_path, fails):
    # There is none here: what is called systemd-run does as it does with --scope, and runs what follows "--".
    fake = tmp_path / "systemd-run"
    said = tmp_path / "said"
    fake.write_text(
        f'#!/bin/sh\necho "$@" > {said}\n{"exit 1" if fails else ""}\n'
        'while [ "$1" != -- ]; do shift; done; shift; exec "$@"\n'
    )
    fake.chmod(0o755)
    booted = (
        "unshare",
        "--mount",
        "sh",
        "-c",
        'mount -t tmpfs none /run && mkdir -p /run/systemd/system; exec "$@"',
        "sh",
    )
    if subprocess.run([*booted, "true"], capture_output=True, check=False).returncode:
        pytest.skip("only root can pretend that systemd runs")
    agent = alone(*booted, "env", f"PATH={tmp_path}:/usr/bin:/bin")
    try:
        assert agent.ask("facts")["systemd"] is True
        promised = agent.ask("promise", name="cut", undo=[HEAL])
        assert promised["how"] == ("fork" if fails else "systemd")
        unit = said.read_text().split()[5]
        assert said.read_text().split()[:7] == [*guard.scope(unit.partition("=")[2])[1:]]
        assert unit.startswith("--unit=halfopen-undo-")
        watcher = beside(agent)
        assert agent.ask("netlink", **CUT)["errno"] == 0
        ended = os.pidfd_open(promised["guard"])
        assert len(list(Path(f"/proc/{promised['guard']}/fd").iterdir())) == 3
        agent.process.kill()
        assert select.select([ended], [], [], WITHIN_S)[0]
        os.close(ended)
        assert tables(watcher) == 0
        assert watcher.end() == (0, "")
    finally:
        agent.process.kill()
        agent.end()
