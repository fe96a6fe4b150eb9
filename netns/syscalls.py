"""System calls that Python 3.11 lacks, through ctypes: unshare(2), setns(2), clone(2), mount(2), prctl(2).

Flags are those of <linux/sched.h>, <linux/mount.h> and <linux/prctl.h>. Every function raises OSError.
"""

import ctypes
import os
import platform
import signal

CLONE_NEWNS = 0x0002_0000
CLONE_NEWUSER = 0x1000_0000
CLONE_NEWPID = 0x2000_0000
CLONE_NEWNET = 0x4000_0000

_MS_REC = 0x4000
_MS_PRIVATE = 0x4_0000
_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15

# clone(2) has no useful wrapper in libc (it wants a stack); the raw call with a null stack behaves like fork(2).
_SYS_CLONE = {"x86_64": 56, "aarch64": 220, "riscv64": 220, "loongarch64": 220, "ppc64le": 120, "i686": 120}

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, call: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{call}: {os.strerror(number)}")
    return result


def unshare(flags: int) -> None:
    """Give the calling thread (CLONE_NEWUSER: the process, which must have one thread) new namespaces."""
    _check(_libc.unshare(flags), "unshare")


def setns(fd: int, kind: int) -> None:
    """Move the calling thread into the namespace ``fd`` of the given kind; CLONE_NEWPID concerns its children only."""
    _check(_libc.setns(fd, kind), "setns")


def clone(flags: int) -> int:
    """Fork, with the child in new namespaces: 0 in the child, its PID in the parent.

    Python is not told of this fork: the child may call little but ``os`` and ``signal``, and must end by os._exit.
    """
    number = _SYS_CLONE.get(platform.machine())
    if number is None:
        raise OSError(38, f"clone: its number on {platform.machine()} is not known")
    zero = ctypes.c_long(0)
    return _check(
        _libc.syscall(ctypes.c_long(number), ctypes.c_long(flags | signal.SIGCHLD), zero, zero, zero, zero), "clone"
    )


def make_mounts_private() -> None:
    """Stop mounts from spreading into or out of this mount namespace."""
    _check(_libc.mount(b"none", b"/", None, ctypes.c_ulong(_MS_REC | _MS_PRIVATE), None), "mount")


def die_with_parent() -> None:
    """Have the kernel kill this process when the thread that forked it ends."""
    _check(_libc.prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL), 0, 0, 0), "prctl")


def set_name(name: str) -> None:
    """Name the calling thread as ps(1) shows it: 15 bytes."""
    _check(_libc.prctl(_PR_SET_NAME, ctypes.c_char_p(name.encode()[:15]), 0, 0, 0), "prctl")
