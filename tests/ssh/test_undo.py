"""A fault whose maker is gone is undone all the same, within ten seconds: seen on the data path itself."""

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from tests.lab.program import Ended, Program, eventually, lines
from tests.ssh.guests import Guests
from tests.ssh.keys import Keys
from tests.ssh.namespaces import Pair
from tests.ssh.plan import Plan

_UNDONE_WITHIN_S = 10
_AT_ONCE = 4
# Its text, not its path: a host has folders of its own over this machine's.
_KNOCK = Path(__file__).with_name("knock.py").read_text()
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
        done = self.pair.inside("client", "python3", "-I", "-S", "-c", _KNOCK, address, *ports)
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


def _killed_controller(pair: Pair, results: Path, ipv: int = 4) -> None:
    with _cut(pair, results, ipv) as cut:
        cut.program.kill()
        assert cut.is_undone()
        assert cut.nothing_is_left()


def _killed_controller_6(pair: Pair, results: Path) -> None:
    _killed_controller(pair, results, 6)


def _cut_control(pair: Pair, results: Path) -> None:
    with _cut(pair, results) as cut:
        for name in pair.hosts:
            pair.cut(name, "control")
        assert cut.is_undone()
        ended = cut.program.wait(_UNDONE_WITHIN_S)
        assert cut.nothing_is_left()
    _is_one_line(ended, ("client: ", "server: "))


def _killed_agent(pair: Pair, results: Path, name: str = "server") -> None:
    with _cut(pair, results) as cut:
        os.kill(_ours(pair, name)[0], signal.SIGKILL)
        assert cut.is_undone()
        ended = cut.program.wait(_UNDONE_WITHIN_S)
        assert cut.nothing_is_left()
    _is_one_line(ended, (f"{name}: ",))


def _killed_agent_of_the_survivor(pair: Pair, results: Path) -> None:
    _killed_agent(pair, results, "client")


def _killed_guard(pair: Pair, results: Path) -> None:
    """Then the agent has nobody who would undo after it, and undoes at once."""
    with _cut(pair, results) as cut:
        (guard,) = [pid for pid in _ours(pair, "server") if _is_guard(pid)]
        os.kill(guard, signal.SIGKILL)
        assert cut.is_undone()
        ended = cut.program.wait(_UNDONE_WITHIN_S)
        assert cut.nothing_is_left()
    _is_one_line(ended, ("server: ",))


def _told_to_end(pair: Pair, results: Path, number: signal.Signals = signal.SIGINT) -> None:
    with _cut(pair, results) as cut:
        ended = cut.program.end(number)
        assert ended.code == 130 and "Traceback" not in ended.err
        assert cut.passes
        assert cut.nothing_is_left()


def _told_to_end_by_sigterm(pair: Pair, results: Path) -> None:
    _told_to_end(pair, results, signal.SIGTERM)


def _is_guard(pid: int) -> bool:
    """Its output goes nowhere: it holds nothing of the session's."""
    return Path(f"/proc/{pid}/fd/1").readlink() == Path("/dev/null")


def _is_one_line(ended: Ended, starts: tuple[str, ...]) -> None:
    assert ended.code == 4 and "Traceback" not in ended.err
    assert ended.err.splitlines()[-1].startswith(starts)


_WAYS = (
    _killed_controller,
    _killed_controller_6,
    _cut_control,
    _killed_agent,
    _killed_agent_of_the_survivor,
    _killed_guard,
    _told_to_end,
    _told_to_end_by_sigterm,
)


@pytest.fixture(scope="module")
def all_ways(run_keys: Keys, tmp_path_factory: pytest.TempPathFactory) -> dict[str, "Future[None]"]:
    """Every way, each with hosts of its own, several at a time."""

    def go(way: Callable[[Pair, Path], None]) -> None:
        with Pair(Plan(str(tmp_path_factory.mktemp("pair"))), run_keys) as pair:
            way(pair, tmp_path_factory.mktemp("results"))

    # The one that waits longest first.
    order = sorted(_WAYS, key=lambda way: way is not _cut_control)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return {way.__name__: pool.submit(go, way) for way in order}


@pytest.mark.parametrize("way", [way.__name__ for way in _WAYS])
def test_the_fault_is_undone_and_nothing_is_left(all_ways: dict[str, "Future[None]"], way: str) -> None:
    all_ways[way].result()


@pytest.mark.slow
def test_the_fault_in_a_guest_is_undone(guests: Guests, tmp_path: Path) -> None:
    _killed_controller(guests, tmp_path)
