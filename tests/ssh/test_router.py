"""A router over SSH carries the faults, and is as it was afterwards; whoever else uses it notices nothing."""

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from netns import syscalls
from tests.lab.program import Program, eventually, run
from tests.ssh.conftest import MakePair
from tests.ssh.keys import Keys
from tests.ssh.namespaces import Pair
from tests.ssh.plan import Plan

# What a fault changes, or might be tempted to.
_SYSCTLS = (
    "net.ipv4.icmp_ratemask",
    "net.ipv6.icmp.ratemask",
    "net.ipv4.ip_forward",
    "net.netfilter.nf_conntrack_tcp_loose",
    "net.netfilter.nf_conntrack_tcp_timeout_established",
    "net.netfilter.nf_conntrack_tcp_timeout_unacknowledged",
    "net.netfilter.nf_conntrack_tcp_timeout_max_retrans",
)
_UNDONE_WITHIN_S = 10.0
_EXPERIMENTS = {
    "crash": "crash-client --keepalive 1 --interval 1 --probes 2 --ipv 6",
    "reject": "reject-packets --traffic write --user-timeout 1500ms",
    "mtu": "shrink-mtu --traffic stream --user-timeout 1500ms",
    "nat": "expire-nat --nat-timeout 1 --keepalive 2 --interval 1 --probes 2",
    "nat held": "expire-nat --nat-timeout 2 --keepalive 1 --interval 1 --probes 2 --limit 500ms --ipv 6",
    "nat reset": "expire-nat --nat-timeout 1 --on-expiry reset --traffic write --ipv 6",
    "drop": "drop-packets --percent 100 --traffic write --user-timeout 1500ms",
}


class Talk(NamedTuple):
    """A connection that nobody measures."""

    near: socket.socket
    far: socket.socket

    def works(self) -> bool:
        for sender, hearer in ((self.near, self.far), (self.far, self.near)):
            sender.sendall(b"word")
            if hearer.recv(4) != b"word":
                return False
        return True


@pytest.fixture(scope="module")
def routed(run_keys: Keys, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Client and server with a router between them, for all tests that leave it as it was."""
    with Pair(Plan(str(tmp_path_factory.mktemp("routed")), router=True), run_keys) as made:
        yield made


def test_every_fault_agrees_whatever_others_do_at_the_same_router(routed: Pair, tmp_path: Path) -> None:
    before = _state(routed)
    with contextlib.ExitStack() as running:
        programs = {
            name: running.enter_context(_program(routed, text, tmp_path / name)) for name, text in _EXPERIMENTS.items()
        }
        for name, program in programs.items():
            ended = program.wait(30)
            assert ended.code == 0, (name, ended.err)
            (record,) = ended.records
            assert record["agrees"], (name, ended.err)
            assert record["proof"]["holds"], (name, ended.err)
            assert record["fault"]["where"] == "router"
            assert record["lab"]["back_end"] == "nft on the router"
            assert "router" in record["lab"]["hosts"]
    assert _state(routed) == before
    assert routed.becomes_alone("router")


@pytest.mark.parametrize("ipv", [4, 6])
def test_others_notice_nothing_and_kill_9_is_undone(routed: Pair, tmp_path: Path, ipv: int) -> None:
    before = _state(routed)
    gate = "198.18.2.1" if ipv == 4 else "2001:db8:2::1"
    nat = f"expire-nat --nat-timeout 300 --on-expiry reset --ipv {ipv}"
    reject = f"reject-packets --keepalive 60 --ipv {ipv}"
    with (
        _talk(routed, "client", "server", routed.hosts["server"].data[ipv]) as sooner,
        _talk(routed, "server", "router", gate) as gates,
        _program(routed, nat, tmp_path / "nat") as translating,
        _program(routed, reject, tmp_path / "reject") as rejecting,
    ):
        assert eventually(lambda: len(_translated(routed)) == 1 or not translating.runs)
        rejecting.await_event("fault")
        assert len(routed.tables("router")) == 2
        during = _sysctls(routed)
        assert (during["net.ipv4.icmp_ratemask"], during["net.ipv6.icmp.ratemask"]) == ("0", "128")
        assert {name: during[name] for name in during if "ratemask" not in name} == {
            name: before[2][name] for name in during if "ratemask" not in name
        }
        assert sooner.works()
        assert gates.works()
        with (
            _talk(routed, "client", "server", routed.hosts["server"].data[ipv]) as later,
            _talk(routed, "server", "router", gate) as fresh,
        ):
            assert later.works()
            assert later.far.getpeername()[0] == routed.hosts["client"].data[ipv]
            assert fresh.works()
        translating.kill()
        rejecting.kill()
        assert eventually(lambda: _state(routed) == before, _UNDONE_WITHIN_S, every_s=0.05)
        assert sooner.works()
        assert gates.works()
    assert routed.becomes_alone("router")


def test_a_router_that_does_not_forward_is_told(make_pair: MakePair) -> None:
    pair = make_pair(router=True)
    pair.inside("router", "sysctl", "-w", "net.ipv4.ip_forward=0")
    ended = run("crash-client", "--hosts", str(pair.hosts_file), results=pair.folder / "results", through=pair.through)
    assert ended.code == 4, ended.err
    assert ended.err.strip().splitlines() == [
        "router: it does not forward IPv4 (net.ipv4.ip_forward is 0); as root there: sysctl -w net.ipv4.ip_forward=1"
    ]
    assert all(pair.becomes_alone(name) for name in pair.hosts)


def _program(pair: Pair, text: str, results: Path) -> Program:
    return Program(*text.split(), "--json", "--hosts", str(pair.hosts_file), results=results, through=pair.through)


def _state(pair: Pair) -> tuple[list[str], list[str], dict[str, str]]:
    """What a program may leave in the router: tables, translated connections, sysctls."""
    return pair.tables("router"), _translated(pair), _sysctls(pair)


def _translated(pair: Pair) -> list[str]:
    """The tracked connections whose answers do not go to whom the questions came from."""
    lines = pair.inside("router", "cat", "/proc/net/nf_conntrack").stdout.splitlines()
    found = []
    for line in lines:
        asks, _, _, answers = (word.split("=")[1] for word in line.split() if word.startswith(("src=", "dst=")))
        if asks != answers:
            found.append(line)
    return found


def _sysctls(pair: Pair) -> dict[str, str]:
    lines = pair.inside("router", "sysctl", *_SYSCTLS).stdout.splitlines()
    found = dict(line.split(" = ") for line in lines)
    assert found.keys() == set(_SYSCTLS)
    return found


@contextlib.contextmanager
def _talk(pair: Pair, source: str, target: str, address: str) -> Iterator[Talk]:
    """A TCP connection from one host to an address of another."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with contextlib.ExitStack() as opened:
        with _in(pair, target):
            listener = opened.enter_context(socket.create_server((address, 0), family=family))
        with _in(pair, source):
            near = opened.enter_context(socket.create_connection(listener.getsockname()[:2], 3))
        listener.settimeout(3)
        far, _ = listener.accept()
        opened.enter_context(far)
        far.settimeout(3)
        yield Talk(near, far)


@contextlib.contextmanager
def _in(pair: Pair, name: str) -> Iterator[None]:
    """Have the calling thread be in a host's network."""
    there = Path(f"/proc/{pair.first(name)}/ns/net")
    with open("/proc/thread-self/ns/net", "rb") as before, there.open("rb") as network:  # noqa: PTH123
        syscalls.setns(network.fileno(), syscalls.CLONE_NEWNET)
        try:
            yield
        finally:
            syscalls.setns(before.fileno(), syscalls.CLONE_NEWNET)
