"""The agent as it runs on a host, ``python3 -I -S`` from a bundle on its input: it starts, stops and kills endpoints,
and leaves nothing when its controller goes."""

import ctypes
import os
import signal
from pathlib import Path

import pytest

from harness.endpoints.loop import now
from tests.lab.bundled import Bundled, Open


@pytest.fixture
def agent():
    agent = Bundled()
    yield agent
    if not agent.process.stdin.closed:
        assert agent.end() == (0, "")


@pytest.fixture
def subreaper():
    """Orphans come to us, not to PID 1, so that nothing left behind goes unseen (prctl(2))."""
    prctl = ctypes.CDLL(None).prctl
    prctl(36, 1, 0, 0, 0)
    yield
    prctl(36, 0, 0, 0, 0)


def state(pid):
    """Return the state letter of a process (proc(5)), None where there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return None


def test_it_runs_isolated_from_a_pipe_and_says_so(agent):
    assert agent.ready["pid"] == agent.process.pid
    assert agent.ready["python"].startswith("3.")
    before = now()
    assert before <= agent.ask("now")["at"] <= now()


def test_its_endpoints_are_processes_of_their_own(agent):
    pids = [agent.fork(name) for name in ("main", "peer")]
    assert len({*pids, agent.process.pid}) == 3
    assert all(state(pid) for pid in pids)


def test_a_killed_endpoint_is_gone_and_the_other_end_hears_of_it(agent):
    for name in ("a", "b"):
        pid = agent.fork(name)
    opened = Open(agent)
    killed = agent.ask("kill", name="b")
    assert killed["signal"] == signal.SIGKILL and killed["before"] <= killed["after"]
    assert agent.event("gone", **{"from": "b"})["signal"] == signal.SIGKILL
    assert state(pid) is None
    assert opened.event("sign")["sign"] == "EOF"


def test_a_stopped_endpoint_answers_when_it_is_continued(agent):
    for name in ("a", "b"):
        pid = agent.fork(name)
    opened = Open(agent)
    assert agent.ask("stop", name="b")["stopped"] is True
    assert state(pid) == "T"
    opened.ask("ping")
    agent.ask("continue", name="b")
    assert opened.event("pong")


def test_what_is_asked_of_an_endpoint_that_is_not_there_is_answered(agent):
    assert agent.refused("ping", "nobody", conn="c0")["error"] == "gone"
    for do in ("kill", "stop"):
        assert agent.refused(do, name="nobody")["error"] == "gone"
    agent.ask("continue", name="nobody")
    agent.fork("a")
    agent.ask("kill", name="a")
    assert agent.refused("instant", "a", conn="c0")["error"] == "gone"


def test_an_endpoint_that_dies_of_itself_is_told_of_and_the_agent_lives(agent):
    os.kill(agent.fork("a"), signal.SIGKILL)
    for _ in range(3):  # also when it is asked before the agent has looked
        agent.send("instant", "a", conn="c0")
    assert agent.event("gone", **{"from": "a"})["signal"] == signal.SIGKILL
    assert agent.fork("a")


def test_when_its_input_ends_it_kills_what_it_started_also_what_is_stopped(agent, subreaper):
    pids = [agent.fork(name) for name in ("running", "stopped")]
    agent.ask("stop", name="stopped")
    assert agent.end() == (0, "")
    assert [state(pid) for pid in pids] == [None, None]


def test_when_nobody_reads_its_output_it_kills_what_it_started_also_what_is_stopped(agent, subreaper):
    pids = [agent.fork(name) for name in ("running", "stopped")]
    agent.ask("stop", name="stopped")
    agent.process.stdout.close()
    agent.send("now")
    assert agent.process.wait(5) == 0
    assert [state(pid) for pid in pids] == [None, None]
    agent.end()


def test_when_it_is_killed_its_endpoints_die_also_what_is_stopped(agent, subreaper):
    pids = [agent.fork(name) for name in ("running", "stopped")]
    agent.ask("stop", name="stopped")
    agent.process.kill()
    agent.process.wait()
    running, stopped = (os.waitpid(pid, 0)[1] for pid in pids)  # they came to us
    assert running in (0, signal.SIGKILL)  # its control pipe ended as well
    assert stopped == signal.SIGKILL
    agent.end()


def test_ctrl_c_is_the_controllers_to_decide_about(agent):
    pid = agent.fork("a")
    for each in (agent.process.pid, pid):
        os.kill(each, signal.SIGINT)
    agent.ask("now")
    agent.refused("ping", "nobody", conn="c0")
    assert state(pid) not in (None, "Z")


def test_nothing_is_written_to_the_hosts_disk(agent):
    agent.fork("a")
    opened = [link.readlink() for link in Path(f"/proc/{agent.process.pid}/fd").iterdir()]
    assert not [path for path in opened if path.is_absolute() and path.is_file()]
