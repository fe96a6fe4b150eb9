"""The test hosts in namespaces are what the other tests take them for."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.lab.program import ROOT, eventually
from tests.ssh.conftest import MakePair
from tests.ssh.keys import Keys
from tests.ssh.namespaces import Pair
from tests.ssh.plan import BECOME, REFUSE

_KEEP_A_PAIR = """
import sys
from pathlib import Path
from tests.ssh.keys import Keys
from tests.ssh.namespaces import Pair
from tests.ssh.plan import Plan
pair = Pair(Plan(sys.argv[1]), Keys(Path(sys.argv[2])))
print(*pair.processes("client"), *pair.processes("server"), flush=True)
sys.stdin.read()
"""


def test_the_openssh_client_logs_in_to_both(pair: Pair) -> None:
    for name in pair.hosts:
        done = pair.ssh(name, "hostname; id -u")
        assert (done.returncode, done.stdout) == (0, f"{name}\n0\n"), done.stderr


@pytest.mark.parametrize("ipv", [4, 6])
@pytest.mark.parametrize("source, target", [("client", "server"), ("server", "client")])
def test_a_cut_data_path_stops_both_ways_and_spares_control(pair: Pair, source: str, target: str, ipv: int) -> None:
    assert pair.reaches(source, target, ipv)
    pair.cut("server", "data")
    assert not pair.reaches(source, target, ipv)
    assert pair.ssh("server", "true").returncode == 0
    pair.heal("server", "data")
    assert pair.reaches(source, target, ipv)


def test_a_cut_control_path_spares_the_data_path(pair: Pair) -> None:
    pair.cut("client", "control")
    with pair.entered(), pytest.raises(TimeoutError):
        socket.create_connection((pair.hosts["client"].control, 22), 0.3)
    assert pair.reaches("client", "server")
    pair.heal("client", "control")
    assert pair.ssh("client", "true").returncode == 0


def test_the_controller_has_no_way_to_the_data_path(pair: Pair) -> None:
    with pair.entered(), pytest.raises(OSError, match="unreachable"):
        socket.create_connection((pair.hosts["client"].data[4], 22), 0.3)


def test_only_the_thread_that_entered_is_inside(pair: Pair) -> None:
    here = Path("/proc/thread-self/ns/net")
    before = here.readlink()
    with pair.entered():
        assert here.readlink() != before
    assert here.readlink() == before


def test_a_host_that_is_switched_off_sends_nothing_more(make_pair: MakePair) -> None:
    pair = make_pair()
    with pair.entered(), socket.create_connection((pair.hosts["server"].control, 2222), 2) as sock:
        sock.settimeout(0.3)
        assert sock.recv(256).startswith(b"SSH-2.0-")
        pair.power_off("server")
        with pytest.raises(TimeoutError):
            sock.recv(256)
    pair.power_on("server")
    assert pair.reaches("client", "server")
    assert pair.ssh("server", "true").returncode == 0


def test_the_commands_of_hosts_toml_switch_off_and_on(make_pair: MakePair) -> None:
    pair = make_pair()
    text = pair.hosts_file.read_text()
    commands = [line.split('"')[1] for line in text.splitlines() if line.startswith("power_o")]
    off, on = commands[:2]
    assert pair.run("sh", "-c", off).returncode == 0
    assert not pair.reaches("server", "client")
    done = pair.run("sh", "-c", on)
    assert done.returncode == 0, done.stderr
    assert pair.ssh("client", "true").returncode == 0


def test_with_a_router_the_data_path_leads_through_it(make_pair: MakePair) -> None:
    pair = make_pair(router=True)
    assert pair.reaches("client", "server") and pair.reaches("client", "server", 6)
    pair.cut("router", "data")
    assert not pair.reaches("client", "server")
    assert pair.ssh("router", "hostname").stdout == "router\n"


def test_with_one_device_data_and_control_are_one(make_pair: MakePair) -> None:
    pair = make_pair(one_device=True)
    assert pair.hosts["client"].control == pair.hosts["client"].data[4]
    assert pair.reaches("client", "server") and pair.reaches("client", "server", 6)
    assert pair.ssh("server", "ls /sys/class/net").stdout.split() == ["eth0", "lo"]


def test_somebody_who_is_not_root_can_become_root_or_is_refused(make_pair: MakePair) -> None:
    pair = make_pair(user="alice", become=BECOME)
    assert pair.ssh("client", f"id -u; {BECOME} id -u").stdout == "1000\n0\n"
    refused = pair.ssh("client", f"{REFUSE} id -u")
    assert (refused.returncode, refused.stderr) == (1, "sudo: a password is required\n")


def test_a_shell_may_speak_first_and_python_may_be_missing(make_pair: MakePair) -> None:
    pair = make_pair(prelude="echo Welcome", python=False)
    done = pair.ssh("server", "python3 -c pass")
    assert (done.returncode, done.stdout) == (127, "Welcome\n")


def test_nothing_of_a_read_only_host_can_be_written(make_pair: MakePair) -> None:
    pair = make_pair(read_only=True)
    done = pair.ssh("client", "for place in / /tmp /var/tmp /dev/shm /run ~; do touch $place/x && echo $place; done")
    assert done.stdout == "" and done.stderr.count("Read-only file system") == 6


def test_what_is_in_a_host_can_be_seen_and_killed(pair: Pair) -> None:
    assert pair.becomes_alone("client") and pair.files("client") == []
    assert pair.tables("client") == [] and pair.qdiscs("client") == ["noqueue eth0", "noqueue eth1", "noqueue lo"]
    assert pair.ssh("client", "touch /tmp/left; (sleep 1000 >&- 2>&- &)").returncode == 0
    assert pair.files("client") == ["/tmp/left"]
    assert eventually(lambda: len(pair.processes("client")) == 2)
    (left,) = [pid for pid, words in pair.processes("client").items() if words == "sleep 1000"]
    os.kill(left, signal.SIGKILL)
    assert pair.becomes_alone("client")
    pair.inside("client", "rm", "/tmp/left")


def test_killing_the_tests_leaves_nothing(run_keys: Keys, tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _KEEP_A_PAIR, str(tmp_path), str(run_keys.folder)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as keeper:
        assert keeper.stdout is not None
        pids = [int(word) for word in keeper.stdout.readline().split()]
        assert len(pids) == 2 and all(Path(f"/proc/{pid}").exists() for pid in pids)
        keeper.kill()
    assert eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))


def test_a_pair_is_soon_there(make_pair: MakePair) -> None:
    began = time.monotonic()
    make_pair()
    assert time.monotonic() - began < 2
