"""The anchor: PID 1 of the private PID namespace. When it ends, the kernel kills every process in that namespace
(pid_namespaces(7)), and it ends when the program does, however the program ends.

Two things tie it to the program. The pipe: the program alone holds the writing end, so its death is an end of file,
whenever it comes. PR_SET_PDEATHSIG: the same, sooner, should a stray child ever keep the pipe open; it does nothing
if the program died before the call, which is why the pipe has to settle it.
"""

import os
import select
import signal
from typing import Never

from netns import syscalls
from netns.errors import LabError


class Anchor:
    """The program's handle on its PID 1: ``pid``, and ``namespace_fd`` to start processes in its PID namespace."""

    def __init__(self, pid: int, lifeline: int, namespace_fd: int) -> None:
        self.pid = pid
        self.namespace_fd = namespace_fd
        self._lifeline = lifeline
        # A child forked without exec inherits even close-on-exec descriptors, and would keep the anchor alive.
        os.register_at_fork(after_in_child=self._forget)

    @classmethod
    def drop(cls) -> "Anchor":
        """Start the anchor in a new PID namespace. The caller stays in its own, and may start threads.

        (unshare(CLONE_NEWPID) would do for the children, but a thread that has called it cannot start threads.)
        """
        reading, writing = os.pipe2(os.O_CLOEXEC)
        ready_reading, ready_writing = os.pipe2(os.O_CLOEXEC)
        pid = syscalls.clone(syscalls.CLONE_NEWPID)
        if pid == 0:
            _hold(reading, ready_writing)
        os.close(reading)
        os.close(ready_writing)
        try:
            if os.read(ready_reading, 1) != b"1":
                raise LabError("the private PID namespace could not be set up: its first process ended at once")
            namespace_fd = os.open(f"/proc/{pid}/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
        except BaseException:
            os.close(writing)
            os.waitpid(pid, 0)
            raise
        finally:
            os.close(ready_reading)
        return cls(pid, writing, namespace_fd)

    def weigh(self, timeout_s: float = 2.0) -> bool:
        """End the anchor, and with it every process in its namespace. Return whether it was seen to end in time.

        It ends only after the program has waited for its own children in there.
        """
        if self._lifeline < 0:
            return True
        waiting = os.pidfd_open(self.pid)
        try:
            self._forget()
            ended = bool(select.select([waiting], [], [], timeout_s)[0])
        finally:
            os.close(waiting)
        if ended:
            os.waitpid(self.pid, 0)
        return ended

    def _forget(self) -> None:
        lifeline, self._lifeline = self._lifeline, -1
        if lifeline >= 0:
            os.close(lifeline)
            os.close(self.namespace_fd)


def _hold(lifeline: int, ready: int) -> Never:
    """The anchor's whole life: wait for the end of the program."""
    try:
        syscalls.die_with_parent()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGPIPE):
            signal.signal(number, signal.SIG_IGN)
        # Ignoring SIGCHLD has the kernel reap the orphans that this process inherits as PID 1.
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        syscalls.set_name("lab-anchor")
        # Standard output too: whoever reads it waits for its end, which must be the program's end, not this one's.
        low, high = sorted((lifeline, ready))
        os.closerange(0, low)
        os.closerange(low + 1, high)
        os.closerange(high + 1, os.sysconf("SC_OPEN_MAX"))
        os.write(ready, b"1")
        os.close(ready)
        os.read(lifeline, 1)
    finally:
        os._exit(0)
