"""Checks in a forked child: nothing that they enter, mount or create outlives them, and no crash of theirs is ours."""

import errno
import json
import os
import select
import signal
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from harness.doctor.capability import Finding

Findings = Iterator[tuple[str, Finding]]
_LIMIT_S = 5.0
# How the kernel says that it has no such thing: netlink kinds and modules, protocols, socket options.
_UNKNOWN = (errno.ENOENT, errno.EOPNOTSUPP, errno.EPROTONOSUPPORT, errno.EAFNOSUPPORT, errno.ENOPROTOOPT, errno.ENODEV)


def tried(check: Callable[[], str | Finding]) -> Finding:
    """Return what a check found: its words if it succeeds, the kernel's refusal if not."""
    try:
        found = check()
    except OSError as error:
        words = error.strerror or str(error) or type(error).__name__
        return Finding(False, f"this kernel does not have it ({words})" if error.errno in _UNKNOWN else words)
    except Exception as error:
        # A check that is itself broken says nothing about the machine; the doctor goes on.
        return Finding(None, f"the check failed: {error!r}")
    return found if isinstance(found, Finding) else Finding(True, found)


@contextmanager
def findings_of(checks: Callable[[], Findings]) -> Iterator[Callable[[], dict[str, Finding]]]:
    """Run ``checks`` in a child meanwhile; call what is yielded to get its findings.

    A child that does not come to an end within five seconds is killed, and what it had found by then counts.
    """
    reading, writing = os.pipe2(os.O_CLOEXEC)
    with warnings.catch_warnings():
        # Python 3.12 warns of a fork beside threads: this child takes no lock of theirs, and is killed if it hangs.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        try:
            for name, finding in checks():
                os.write(writing, json.dumps([name, *finding]).encode() + b"\n")
        finally:
            # Straight out: no handler, buffer or exit hook of the parent's may run here.
            os._exit(0)
    os.close(writing)
    try:
        yield lambda: _read(reading)
    finally:
        os.close(reading)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _read(fd: int) -> dict[str, Finding]:
    data = b""
    deadline = time.monotonic() + _LIMIT_S
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    while (left := deadline - time.monotonic()) > 0 and poll.poll(left * 1000):
        chunk = os.read(fd, 65536)
        if not chunk:
            break
        data += chunk
    whole = data[: data.rfind(b"\n") + 1]
    return {name: Finding(*finding) for name, *finding in map(json.loads, whole.splitlines())}
