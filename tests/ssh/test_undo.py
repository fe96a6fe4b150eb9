"""A fault whose maker is gone is undone all the same, within ten seconds: seen on the data path itself."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from tests.lab.program import Program, eventually, lines
from tests.ssh.conftest import MakePair
from tests.ssh.guests import Guests
from tests.ssh.namespaces import Pair

_UNDONE_WITHIN_S = 10
_KNOCK = Path(__file__).with_name("knock.py")
_RETRIES2 = "/proc/sys/net/ipv4/tcp_retries2"
# The fault is put on the server; the client survives, and has its sysctl set.
_LONG = ("cut-link", "--keepalive", "60", "--retries", "3")


class Cut(msgspec.Struct):
    """An experiment whose fault is in force, and the ports of its connection."""

    pair: Pair
    program: Program
    ipv: int
    client_port: int
    server_port: int

    @property
    def passes(self) -> bool:
        """Whether packets of the connection that was cut reach the server, and its answers the client."""
        ports = (str(self.client_port), str(self.server_port))
        address = self.pair.hosts["server"].data[self.ipv]
        done = self.pair.inside("client", "python3", "-I", "-S", str(_KNOCK), address, *ports)
        assert done.returncode in (0, 1), done.stderr
        return done.returncode == 0

    def is_undone(self) -> bool:
        return eventually(lambda: self.passes, _UNDONE_WITHIN_S)

    def nothing_is_left(self) -> bool:
        """Also of what was set. A session of sshd itself may outlast its network."""
        for name in self.pair.hosts:
            assert eventually(lambda name=name: not _ours(self.pair, name), _UNDONE_WITHIN_S), _ours(self.pair, name)
            assert (self.pair.tables(name), self.pair.files(name)) == ([], [])
            assert not [qdisc for qdisc in self.pair.qdiscs(name) if "clsact" in qdisc]
            assert self.pair.inside(name, "cat", _RETRIES2).stdout == "15\n"
        return True


@contextmanager
def _cut(pair: Pair, results: Path, ipv: int = 4) -> Iterator[Cut]:
    words = (*_LONG, "--ipv", str(ipv), "--hosts", str(pair.hosts_file))
    with Program(*words, results=results, through=pair.through) as program:
        assert eventually(lambda: program.told("watching") or not program.runs, 20), "the fault did not come"
        assert program.runs, program.wait(1)
        (events,) = results.glob("*/events.jsonl")
        sent = next(
            e["packet"] for e in lines(events) if e["event"] == "packet" and e["packet"]["device"] == "r-client"
        )
        ports = (sent["dport"], sent["sport"]) if sent["outgoing"] else (sent["sport"], sent["dport"])
        found = Cut(pair, program, ipv, *ports)
        assert not found.passes
        assert pair.inside("client", "cat", _RETRIES2).stdout == "3\n"
        yield found


def _ours(pair: Pair, name: str) -> list[int]:
    """The agent there, its endpoints and its guard, oldest first."""
    return sorted(pid for pid, words in pair.processes(name).items() if "sshd" not in words)


@pytest.mark.parametrize("ipv", [4, 6])
def test_the_controller_is_killed(pair: Pair, tmp_path: Path, ipv: int) -> None:
    with _cut(pair, tmp_path, ipv) as cut:
        cut.program.kill()
        assert cut.is_undone()
        assert cut.nothing_is_left()


def test_the_control_link_is_cut_silently(make_pair: MakePair, tmp_path: Path) -> None:
    pair = make_pair()
    with _cut(pair, tmp_path) as cut:
        for name in pair.hosts:
            pair.cut(name, "control")
        assert cut.is_undone()
        ended = cut.program.wait(_UNDONE_WITHIN_S)
        assert ended.code == 4
        assert cut.nothing_is_left()
    (line,) = ended.err.splitlines()[-1:]
    assert line.startswith(("client: ", "server: ")) and "Traceback" not in ended.err


@pytest.mark.parametrize("name", ["server", "client"])
def test_an_agent_is_killed(pair: Pair, tmp_path: Path, name: str) -> None:
    with _cut(pair, tmp_path) as cut:
        os.kill(_ours(pair, name)[0], signal.SIGKILL)
        assert cut.is_undone()
        ended = cut.program.wait(_UNDONE_WITHIN_S)
        assert ended.code == 4
        assert cut.nothing_is_left()
    assert ended.err.splitlines()[-1].startswith(f"{name}: ") and "Traceback" not in ended.err


def test_the_guard_is_killed(pair: Pair, tmp_path: Path) -> None:
    """Then the agent has nobody who would undo after it, and undoes at once."""
    with _cut(pair, tmp_path) as cut:
        guards = [pid for pid in _ours(pair, "server") if _is_guard(pid)]
        os.kill(guards[0], signal.SIGKILL)
        assert cut.is_undone()
        assert cut.program.wait(_UNDONE_WITHIN_S).code == 4
        assert cut.nothing_is_left()


def _is_guard(pid: int) -> bool:
    """Its output goes nowhere: it holds nothing of the session's."""
    return Path(f"/proc/{pid}/fd/1").readlink() == Path("/dev/null")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_program_is_told_to_end(pair: Pair, tmp_path: Path, number: signal.Signals) -> None:
    with _cut(pair, tmp_path) as cut:
        ended = cut.program.end(number)
        assert ended.code == 130 and ended.after_s < 2
        assert cut.passes
        assert cut.nothing_is_left()


def test_the_controller_of_guests_is_killed(guests: Guests, tmp_path: Path) -> None:
    with _cut(guests, tmp_path) as cut:
        cut.program.kill()
        assert cut.is_undone()
        assert cut.nothing_is_left()
