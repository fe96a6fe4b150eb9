"""The program enters private user, mount, PID and network namespaces, so that nothing it does touches the host and
nothing outlives it. No sudo where the kernel lets users have namespaces; user_namespaces(7).

The network namespace that it enters is the lab's router (``lab``).
"""

import errno
import os
from dataclasses import dataclass
from pathlib import Path

from netns import syscalls
from netns.anchor import Anchor
from netns.errors import Forbidden, LabError

_PROC_SYS = Path("/proc/sys")

# What may forbid users to have namespaces: sysctl, the value that forbids, a value that allows.
# The first is Ubuntu's since 23.10 (unshare succeeds, and what follows fails with EPERM); the second Debian's.
_LOCKS = (
    ("kernel.apparmor_restrict_unprivileged_userns", "1", "0"),
    ("kernel.unprivileged_userns_clone", "0", "1"),
    ("user.max_user_namespaces", "0", "10000"),
    ("user.max_net_namespaces", "0", "10000"),
    ("user.max_pid_namespaces", "0", "10000"),
    ("user.max_mnt_namespaces", "0", "10000"),
)


@dataclass(frozen=True)
class Entered:
    """What was entered. ``user_namespace``: False where the kernel refused one to root, who needs none.

    ``network_fd``: the network namespace of the program, the router's.
    """

    user_namespace: bool
    anchor: Anchor
    network_fd: int


_entered: Entered | None = None


def current() -> Entered | None:
    """What this process entered, or None."""
    return _entered


def enter() -> Entered:
    """Enter the private namespaces; the process must have one thread. Entering twice is entering once.

    After a failure the process is of no further use for this: it may be half inside.
    Raises Forbidden where this user may not, and LabError where the process has threads.
    """
    global _entered
    if _entered is None:
        if len(list(Path("/proc/self/task").iterdir())) > 1:
            raise LabError("the namespaces must be entered before the program starts its first thread")
        root = os.geteuid() == 0
        try:
            user_namespace = _enter_user_namespace()
            syscalls.unshare(syscalls.CLONE_NEWNS | syscalls.CLONE_NEWNET)
            syscalls.make_mounts_private()
            anchor = Anchor.drop()
        except OSError as error:
            raise _forbidden(error, root) from error
        _entered = Entered(user_namespace, anchor, os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC))
    return _entered


def probe() -> str | None:
    """Try it in a child: None where ``enter`` will work, else the sentence that says why not. Changes nothing here."""
    reading, writing = os.pipe2(os.O_CLOEXEC)
    child = os.fork()
    if child == 0:
        report = "the attempt to enter private namespaces broke off"
        try:
            # Within namespaces already, their like can still be made: the question is then about a second set.
            globals()["_entered"] = None
            enter().anchor.weigh()
            report = ""
        except LabError as error:
            report = str(error)
        finally:
            os.write(writing, report.encode() or b"\0")
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        answer = pipe.read().decode()
    os.waitpid(child, 0)
    return None if answer == "\0" else answer or "the attempt to enter private namespaces was killed"


def _enter_user_namespace() -> bool:
    """Enter a user namespace in which the caller's user is 0. False where root is refused one and goes on without."""
    user, group = os.geteuid(), os.getegid()
    if user == 0:
        try:
            _enter_with_all_ids()
        except OSError:
            return False
        return True
    syscalls.unshare(syscalls.CLONE_NEWUSER)
    _map_self(user, group)
    return True


def _map_self(user: int, group: int) -> None:
    """An unprivileged user may map only himself, and his group only after giving up setgroups(2)."""
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {user} 1")
    Path("/proc/self/gid_map").write_text(f"0 {group} 1")


def _enter_with_all_ids() -> None:
    """Root's user namespace: every id maps to itself, so that root still reads and writes everybody's files.

    Such a map can only be written from outside the namespace: by a child that was forked before. A root who may not
    even so (in a container without CAP_SETUID) gets a map of himself alone.
    """
    group = os.getegid()
    maps = {name: _identity(Path(f"/proc/self/{name}").read_text()) for name in ("uid_map", "gid_map")}
    inside_reading, inside_writing = os.pipe2(os.O_CLOEXEC)
    done_reading, done_writing = os.pipe2(os.O_CLOEXEC)
    program = os.getpid()
    child = os.fork()
    if child == 0:
        try:
            os.close(inside_writing)
            if os.read(inside_reading, 1):
                for name, content in maps.items():
                    Path(f"/proc/{program}/{name}").write_text(content)
                os.write(done_writing, b"1")
        finally:
            os._exit(0)
    os.close(done_writing)
    try:
        syscalls.unshare(syscalls.CLONE_NEWUSER)
        os.write(inside_writing, b"1")
        if not os.read(done_reading, 1):
            _map_self(0, group)
    finally:
        for fd in (inside_reading, inside_writing, done_reading):
            os.close(fd)
        os.waitpid(child, 0)


def _identity(id_map: str) -> str:
    """The map that gives every id of ``id_map`` (lines of: inside, outside, count) its own number again."""
    extents = [line.split() for line in id_map.splitlines()]
    return "\n".join(f"{inside} {inside} {count}" for inside, _, count in extents)


def _forbidden(error: OSError, root: bool) -> LabError:
    """The sentence for a refusal, naming the very sysctl that refuses (none of them refuses root)."""
    if error.errno not in (errno.EPERM, errno.EACCES, errno.ENOSPC, errno.EINVAL, errno.EUSERS):
        return LabError(f"private namespaces cannot be entered on this machine: {error}")
    for name, forbids, allows in _LOCKS:
        file = _PROC_SYS / name.replace(".", "/")
        if not root and file.exists() and file.read_text().strip() == forbids:
            setting = f"sysctl -w {name}={allows}"
            return Forbidden(
                f"{name}={forbids} forbids users private namespaces: run as root, or allow it with '{setting}'",
                setting,
            )
    if error.errno in (errno.ENOSPC, errno.EUSERS):
        return LabError(
            "this user has as many namespaces as the kernel allows: end other labs, or raise user.max_*_namespaces"
        )
    otherwise = "" if root else "run as root, or, "
    return Forbidden(
        f"this machine gives this user no private namespaces ({error}): {otherwise}in a container, give it "
        "CAP_SYS_ADMIN and a seccomp profile that allows unshare and mount",
        "CAP_SYS_ADMIN" if root else "root",
    )
