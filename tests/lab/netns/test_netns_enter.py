"""Entering the namespaces: what is private, what stays the caller's, and what is said where it is forbidden."""

import os
import subprocess
import threading
from pathlib import Path

import pytest
from lab_connections import eventually

from netns import enter as entering
from netns.enter import enter, probe
from netns.errors import Forbidden, LabError
from netns.namespace import Namespace


def _namespaces() -> dict[str, str]:
    return {kind: str(Path(f"/proc/self/ns/{kind}").readlink()) for kind in ("user", "mnt", "pid", "net")}


def test_probe_changes_nothing() -> None:
    before = _namespaces()
    probe()
    assert _namespaces() == before


@pytest.mark.inside(enter=False)
def test_entering_makes_everything_private_but_the_program(user: str) -> None:
    before = _namespaces()
    entered = enter()
    after = _namespaces()
    assert entered.user_namespace
    assert [kind for kind in before if before[kind] != after[kind]] == ["user", "mnt", "net"]
    assert Path(f"/proc/{entered.anchor.pid}/ns/pid").stat().st_ino == os.fstat(entered.anchor.namespace_fd).st_ino
    assert str(Path(f"/proc/{entered.anchor.pid}/ns/pid").readlink()) != before["pid"]
    assert enter() is entered
    assert os.geteuid() == 0


@pytest.mark.inside(enter=False)
def test_files_belong_to_the_caller(user: str) -> None:
    caller = os.geteuid()
    directory = Path(f"/tmp/owner-{os.getpid()}")
    directory.mkdir()
    try:
        enter()
        (directory / "result").write_text("x")
        assert _outside_uid((directory / "result").stat().st_uid) == caller
    finally:
        (directory / "result").unlink(missing_ok=True)
        directory.rmdir()


def _outside_uid(inside: int) -> int:
    for line in Path("/proc/self/uid_map").read_text().splitlines():
        first, outside, count = map(int, line.split())
        if first <= inside < first + count:
            return outside + inside - first
    raise AssertionError(f"{inside} is not mapped")


@pytest.mark.inside(enter=False)
def test_root_still_reaches_files_of_others() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root reaches them to begin with")
    directory = Path(f"/tmp/others-{os.getpid()}")
    directory.mkdir(mode=0o700)
    os.chown(directory, 1234, 1234)
    try:
        enter()
        (directory / "result").write_text("x")
        (directory / "result").unlink()
    finally:
        directory.rmdir()


@pytest.mark.inside
def test_the_program_can_still_start_threads_and_processes() -> None:
    thread = threading.Thread(target=lambda: None)
    thread.start()
    thread.join()
    assert subprocess.run(["true"], check=False).returncode == 0


@pytest.mark.inside(enter=False)
def test_a_program_with_threads_is_refused() -> None:
    gate = threading.Event()
    thread = threading.Thread(target=gate.wait)
    thread.start()
    try:
        with pytest.raises(LabError, match="before the program starts its first thread"):
            enter()
    finally:
        gate.set()
        thread.join()


@pytest.mark.inside
def test_the_anchor_takes_everything_with_it(user: str) -> None:
    entered = enter()
    namespace = Namespace("somewhere")
    # A daemon: its parent ends at once, and the anchor inherits it.
    with namespace.spawn(["sh", "-c", "sleep 1000 & echo $!"], stdout=subprocess.PIPE, text=True) as shell:
        assert shell.stdout
        assert int(shell.stdout.readline()) > 1
    children = Path(f"/proc/{entered.anchor.pid}/task/{entered.anchor.pid}/children")
    assert eventually(lambda: children.read_text().split())
    daemon = int(children.read_text().split()[0])
    assert entered.anchor.weigh()
    assert not Path(f"/proc/{daemon}").exists()
    namespace.close()


@pytest.mark.inside
def test_the_anchor_holds_nothing_open_and_reaps_orphans() -> None:
    anchor = enter().anchor
    assert eventually(lambda: len(list(Path(f"/proc/{anchor.pid}/fd").iterdir())) == 1)
    namespace = Namespace("somewhere")
    with namespace.spawn(["sh", "-c", "sleep 0 &"]):
        pass
    children = Path(f"/proc/{anchor.pid}/task/{anchor.pid}/children")
    assert eventually(lambda: not children.read_text().split())
    namespace.close()


@pytest.mark.inside
def test_a_user_who_may_not_is_told_which_sysctl_forbids_it() -> None:
    if os.geteuid() != 0 or Path("/proc/self/uid_map").read_text().split()[2] == "1":
        pytest.skip("only root can become somebody else in here")
    Path("/proc/sys/user/max_user_namespaces").write_text("0")
    assert probe() is None  # root needs no user namespace
    os.setresuid(65534, 65534, 65534)
    sentence = probe()
    assert sentence
    assert "user.max_user_namespaces=0 forbids" in sentence
    assert "run as root" in sentence
    assert "'sysctl -w user.max_user_namespaces=10000'" in sentence


@pytest.mark.inside
def test_root_goes_on_without_a_user_namespace_where_it_gets_none() -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    Path("/proc/sys/user/max_user_namespaces").write_text("0")
    entering._entered = None
    assert not enter().user_namespace


@pytest.mark.parametrize(
    ("name", "value"), [("kernel.apparmor_restrict_unprivileged_userns", 1), ("kernel.unprivileged_userns_clone", 0)]
)
def test_the_sentence_names_the_lock(name: str, value: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entering, "_PROC_SYS", tmp_path)
    file = tmp_path / name.replace(".", "/")
    file.parent.mkdir()
    file.write_text(f"{value}\n")
    error = entering._forbidden(PermissionError(1, "unshare"), root=False)
    assert isinstance(error, Forbidden)
    assert error.needs == f"sysctl -w {name}={1 - value}"
    assert error.needs in str(error)
    assert name not in str(entering._forbidden(PermissionError(1, "unshare"), root=True))
    assert "run as root" in str(error)
