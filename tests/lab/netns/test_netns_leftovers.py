"""Nothing outlives the program, however it ends.

Whether namespaces are left cannot be read anywhere (one that only a socket holds is in no process's /proc), but the
kernel counts them: these tests run in a user namespace that may have so many and no more, so that the next lab can
only be built once all of the last are gone (user.max_net_namespaces, namespaces(7)).
"""

import os
import random
import signal
import socket
import time
from pathlib import Path
from typing import Never

import pytest
from lab_connections import connected, eventually

from netns import enter as entering
from netns import nft, syscalls
from netns.enter import enter
from netns.lab import Lab

# The lab's own orphans take 1.8 s, a loaded machine a while.
_GONE_WITHIN_S = 6.0


def _allow(more: int) -> None:
    """Limit each kind to the one that this test is in itself, what one program needs, and so many more."""
    for kind, number in {"user": 1, "mnt": 2, "pid": 2, "net": 4}.items():
        Path(f"/proc/sys/user/max_{kind}_namespaces").write_text(str(number + more))


def _use_a_lab(ready: int, marker: str) -> None:
    """Build a lab with everything that could be left behind; say so, and stay."""
    lab = Lab()
    with connected(lab, 4) as orphan, connected(lab, 6):
        lab.filter.masquerade(100)
        lab.filter.cut(orphan.flow)
        orphan.client.sendall(b"never acknowledged")
        orphan.client.close()
        for host in lab.hosts.values():
            # A daemon whose parent is gone, in a session of its own.
            host.spawn(["sh", "-c", f"setsid sleep 1000.{marker} & exec sleep 1000.{marker}"])
        os.write(ready, b"1")
        signal.pause()


def _program(ready: int, marker: str) -> Never:
    """A program, from its first moment."""
    try:
        syscalls.die_with_parent()
        entering._entered = None
        enter()
        _use_a_lab(ready, marker)
    finally:
        os._exit(1)


def _started(marker: str) -> list[str]:
    """Processes with the marker in their command line."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                command = (process / "cmdline").read_bytes()
            except OSError:
                continue
            if f"1000.{marker}".encode() in command:
                found.append(process.name)
    return found


def _room_for_a_lab() -> bool:
    """Whether another program can have a lab now."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            entering._entered = None
            enter()
            Lab().close()
            code = 0
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1] == 0


def _nothing_is_left() -> bool:
    """Whether, before long, as many namespaces are to be had as if there had never been any."""
    _allow(0)
    # The kernel frees them at its leisure. An attempt that fails takes some itself: another at once would meet them.
    nothing = eventually(_room_for_a_lab, _GONE_WITHIN_S, every_s=0.5)
    _allow(100)
    return nothing


def _here() -> tuple[list[str], int]:
    """Links, and tables of nftables, in this test's own network namespace."""
    netlink = nft.open_nft()
    request, _, _ = nft.new_table()
    request["attrs"] = []
    tables = len(list(netlink.dump(request, nft.GET_TABLE)))
    netlink.close()
    return sorted(name for _, name in socket.if_nameindex()), tables


@pytest.mark.slow
@pytest.mark.inside
def test_the_count_is_exact() -> None:
    """The test of the test: a single namespace left over would be seen."""
    assert _room_for_a_lab()
    reading, writing = os.pipe()
    left = os.fork()
    if left == 0:
        try:
            syscalls.die_with_parent()
            syscalls.unshare(syscalls.CLONE_NEWNET)
            os.write(writing, b"1")
            signal.pause()
        finally:
            os._exit(1)
    os.close(writing)
    assert os.read(reading, 1) == b"1"
    os.close(reading)
    assert not _nothing_is_left()
    os.kill(left, signal.SIGKILL)
    os.waitpid(left, 0)
    assert _nothing_is_left()


@pytest.mark.inside
def test_an_orderly_end_leaves_nothing(user: str) -> None:
    before = _here()
    for _ in range(3):
        assert _room_for_a_lab()
    assert _nothing_is_left()
    assert _here() == before


@pytest.mark.inside
def test_an_exception_leaves_nothing_behind() -> None:
    child = os.fork()
    if child == 0:
        try:
            entering._entered = None
            enter()
            with Lab() as lab, connected(lab, 4) as connection:
                lab.filter.cut(connection.flow)
                raise ZeroDivisionError
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert _nothing_is_left()


@pytest.mark.inside
def test_sigkill_at_any_moment_leaves_nothing(user: str) -> None:
    before = _here()
    moments = random.Random(20_000)
    # The whole of a program's start takes some 40 ms; the last kills come when it is complete.
    for moment in [*(moments.uniform(0, 0.06) for _ in range(10)), None, None]:
        reading, writing = os.pipe()
        marker = f"{os.getpid()}{time.monotonic_ns()}"
        program = os.fork()
        if program == 0:
            os.close(reading)
            _program(writing, marker)
        os.close(writing)
        if moment is None:
            assert os.read(reading, 1) == b"1"
            assert eventually(lambda marker=marker: len(_started(marker)) == 4)
        else:
            time.sleep(moment)
        os.close(reading)
        os.kill(program, signal.SIGKILL)
        os.waitpid(program, 0)
        assert eventually(lambda marker=marker: not _started(marker), 2.0), moment
    assert _nothing_is_left()
    assert _here() == before


@pytest.mark.inside
def test_a_forked_child_of_the_program_does_not_keep_the_anchor() -> None:
    reading, writing = os.pipe()
    program = os.fork()
    if program == 0:
        try:
            # Nothing here outlives this test by much, whatever goes wrong; the alarm is not inherited, so twice.
            signal.alarm(60)
            entering._entered = None
            anchor = enter().anchor.pid
            fork = os.fork()
            signal.alarm(60)
            if fork:
                os.write(writing, f"{anchor} {fork}".encode())
            signal.pause()
        finally:
            os._exit(1)
    anchor, fork = map(int, os.read(reading, 100).split())
    os.kill(program, signal.SIGKILL)
    os.waitpid(program, 0)
    gone = eventually(lambda: not Path(f"/proc/{anchor}").exists())
    os.kill(fork, signal.SIGKILL)
    os.close(reading)
    os.close(writing)
    assert gone


def test_the_host_is_not_touched() -> None:
    before = sorted(name for _, name in socket.if_nameindex()), Path("/proc/self/mountinfo").read_text()
    child = os.fork()
    if child == 0:
        try:
            enter()
            with Lab() as lab:
                _ = lab.filter
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert (sorted(name for _, name in socket.if_nameindex()), Path("/proc/self/mountinfo").read_text()) == before
    assert not Path("/run/netns").exists() or not list(Path("/run/netns").iterdir())
