"""What is tried with the privileges that the program really has: clocks, socket options, tracefs.

tracefs: Documentation/trace/ftrace.rst; it cannot be mounted from a user namespace, so this takes real root.
"""

import ctypes
import os
import platform
import socket
import sys
from collections.abc import Callable
from pathlib import Path

from harness.doctor.capability import Finding
from harness.doctor.child import Findings, tried
from harness.observe.jiffies import discover, jiffy_clock
from netns import syscalls

_TCP_USER_TIMEOUT, _TCP_RTO_MAX_MS = 18, 44
_TRACING = "/sys/kernel/tracing"
_TRACEPOINTS = ("sock/inet_sock_set_state", "sock/inet_sk_error_report")


def findings() -> dict[str, Finding]:
    """Try what changes nothing in this process."""
    return {name: tried(check) for name, check in _CHECKS.items()}


def privileged() -> Findings:
    """Try what needs privileges of its own. For a child process only."""
    yield "tracefs", tried(_tracefs)
    yield "root or user namespaces", tried(_root_or_user)


def _tracefs() -> str | Finding:
    syscalls.unshare(syscalls.CLONE_NEWNS)
    syscalls.make_mounts_private()
    libc = ctypes.CDLL(None, use_errno=True)
    # Seen by this child alone: the mount namespace is its own, and goes with it.
    if libc.mount(b"tracefs", _TRACING.encode(), b"tracefs", ctypes.c_ulong(0), None):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    lacking = [point for point in _TRACEPOINTS if not Path(_TRACING, "events", point).is_dir()]
    if lacking:
        return Finding(False, f"mounted, but without {' and '.join(lacking)}")
    return "mounted privately; both tracepoints are there"


def _root_or_user() -> str | Finding:
    root = os.geteuid() == 0
    try:
        syscalls.unshare(syscalls.CLONE_NEWUSER)
    except OSError as error:
        if root:
            syscalls.unshare(syscalls.CLONE_NEWNET)
            return "root; no user namespaces"
        return Finding(False, f"user {os.geteuid()}, and no user namespaces: {error.strerror}")
    return "root, and user namespaces" if root else "user namespaces"


def _python() -> str | Finding:
    # Asked because a packaged interpreter may be made to run what it does not support.
    return Finding(sys.version_info >= (3, 11), platform.python_version())


def _option(option: int, value: int) -> Callable[[], str | Finding]:
    def check() -> str | Finding:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
            sock.setsockopt(socket.IPPROTO_TCP, option, value)
            stands = sock.getsockopt(socket.IPPROTO_TCP, option)
        return "was set and read back" if stands == value else Finding(False, f"set to {value}, reads {stands}")

    return check


def _hz() -> Finding:
    hz = discover()
    return Finding(hz.hz is not None, f"{hz.hz}, by the {hz.how}" if hz.hz else hz.how)


def _jiffy_clock() -> str | Finding:
    hz = discover().hz
    if hz is None:
        return Finding(None, "cannot be tried without HZ")
    clock = jiffy_clock(hz)
    return f"calibrated, by {clock.how}" if clock else Finding(False, "readings did not agree within 60 ms")


_CHECKS = {
    "Python": _python,
    "TCP_USER_TIMEOUT": _option(_TCP_USER_TIMEOUT, 1234),
    "TCP_RTO_MAX_MS": _option(_TCP_RTO_MAX_MS, 5000),
    "HZ": _hz,
    "jiffy clock": _jiffy_clock,
}
