"""A machine that cannot run it: exit code 4, and a line that says what is missing and how to get it.

Each lack is made for one command alone, in namespaces of its own or in its own Python; the machine is not touched.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.lab.conftest import Ordinary
from tests.lab.program import Ended, Program, lines, run

_QUICK = ("cut-link", "--keepalive", "1", "--interval", "1", "--probes", "1")
# A namespace of users in which $0 may be set to 0; then away with the privilege that setting it takes.
_FORBID = 'echo 0 > "/proc/sys/user/$0"; exec setpriv --ambient-caps=-all --inh-caps=-all --bounding-set=-all "$@"'
_FULL = 'mount -t tmpfs -o size=8k none "$0"; exec "$@"'

# What Python runs before the program: it stands for a kernel that was built without something.
_NO_NETFILTER = """
import errno, os, socket
class Socket(socket.socket):
    def __init__(self, family=-1, type=-1, proto=-1, fileno=None):
        if family == socket.AF_NETLINK and proto == 12:  # NETLINK_NETFILTER
            raise OSError(errno.EPROTONOSUPPORT, os.strerror(errno.EPROTONOSUPPORT))
        super().__init__(family, type, proto, fileno)
socket.socket = Socket
"""
# Asked for a subsystem that it does not have, the kernel itself gives the answer of one without nf_tables.
_NO_NFTABLES = """
import pyroute2.netlink.nfnetlink as nfnetlink
nfnetlink.NFNL_SUBSYS_NFTABLES = nfnetlink.NFNL_SUBSYS_NONE
"""
# And for a kind of link that it does not have, that of one without veth.
_NO_VETH = """
import socket
class Socket(socket.socket):
    def send(self, data, *rest):
        return super().send(data.replace(b"veth", b"none"), *rest)
    def sendmsg(self, buffers, *rest):
        return super().sendmsg([bytes(part).replace(b"veth", b"none") for part in buffers], *rest)
socket.socket = Socket
"""


def _one_line(ended: Ended) -> str:
    assert (ended.code, ended.out) == (4, ""), ended
    assert ended.err.count("\n") == 1 and "Traceback" not in ended.err, ended.err
    return ended.err


def test_results_where_no_folder_can_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    said = _one_line(run(*_QUICK, results=tmp_path / "file" / "results"))
    assert str(tmp_path / "file" / "results") in said and "--results" in said


def test_results_in_the_folder_of_another_user(ordinary: Ordinary) -> None:
    assert not Path("/results-of-halfopen").exists()
    said = _one_line(run(*_QUICK, results=Path("/results-of-halfopen"), through=ordinary.through()))
    assert "/results-of-halfopen cannot be written (Permission denied)" in said


@pytest.mark.parametrize("kind", ["user", "mnt", "pid", "net"])
def test_namespaces_forbidden(ordinary: Ordinary, kind: str) -> None:
    limit = f"max_{kind}_namespaces"
    through = ordinary.through("unshare", "--user", "--map-current-user", "--keep-caps", "sh", "-c", _FORBID, limit)
    said = _one_line(run(*_QUICK, results=ordinary.home / "forbidden", through=through))
    assert "user.max_" in said
    if kind == "user":
        assert "user.max_user_namespaces=0 forbids" in said and "run as root, or allow it with" in said


@pytest.mark.parametrize(
    ("lack", "names"),
    [(_NO_NETFILTER, "nf_tables"), (_NO_NFTABLES, "nf_tables"), (_NO_VETH, "veth")],
    ids=["netfilter", "nf_tables", "veth"],
)
def test_a_kernel_without_it(lack: str, names: str, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(lack)
    before = os.environ.get("PYTHONPATH", "")
    with Program(*_QUICK, results=tmp_path / "r", env={"PYTHONPATH": f"{tmp_path}:{before}"}) as program:
        said = _one_line(program.wait(30))
        assert program.leaves_nothing()
    assert names in said and "netlink" not in said.split(names)[0]
    assert list((tmp_path / "r").iterdir()) == []  # it never began


def test_a_disk_that_takes_no_more(tmp_path: Path) -> None:
    ended = _run_through(tmp_path, _FULL, ("unshare", "--user", "--map-root-user", "--mount"), *_QUICK)
    assert ended.code == 4 and "Traceback" not in ended.err, ended.err
    assert "cannot be written (No space left on device)" in ended.err.splitlines()[-1]


def test_a_standard_output_that_takes_no_more(tmp_path: Path) -> None:
    ended = _run_through(tmp_path, 'exec "$@" > /dev/full', (), *_QUICK, "--json")
    assert ended.code == 4 and "Traceback" not in ended.err, ended.err
    assert "standard output takes no more (No space left on device)" in ended.err.splitlines()[-1]
    (folder,) = (tmp_path / "results").iterdir()
    assert [record["experiment"] for record in lines(folder / "records.jsonl")] == ["cut-link"]


def _run_through(folder: Path, script: str, before: Sequence[str], *words: str) -> Ended:
    through = (*before, "sh", "-c", script, str(folder), sys.executable)
    return run(*words, results=folder / "results", through=through)
