"""One network namespace: without a name under /run/netns, kept by a thread that lives in it and by a descriptor.

A thread per namespace costs nothing while it waits, and spares every call the way in and out (namespaces(7)).
"""

import os
import subprocess
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from netns import enter, syscalls
from netns.errors import LabError
from netns.sockets import Diag, SocketState

P = ParamSpec("P")
T = TypeVar("T")


class Namespace:
    """A network namespace. ``fd``: its descriptor, close-on-exec. Close it when done."""

    def __init__(self, name: str, *, new: bool = True) -> None:
        """Make a namespace; with ``new=False``, take the one that the calling thread is in."""
        self.name = name
        self._thread = ThreadPoolExecutor(1, f"netns-{name}")
        self._inside = 0
        self._in_private_pids = False
        self._diag: Diag | None = None
        self._closed = False
        self._lock = threading.Lock()
        try:
            self.fd: int = self._thread.submit(self._move_in, new).result()
        except OSError as error:
            self._thread.shutdown()
            raise LabError(f"the network namespace for {name} could not be made: {error.strerror}") from error

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run ``function`` inside and return what it returns. It must start no thread."""
        if threading.get_ident() == self._inside:
            return function(*args, **kwargs)
        return self._thread.submit(function, *args, **kwargs).result()

    def start(self, function: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
        """Have ``function`` run inside, without waiting for it; ``close`` does not wait for it either."""
        self._thread.submit(function, *args, **kwargs)

    def spawn(self, argv: Sequence[str], **popen_kwargs: Any) -> subprocess.Popen[Any]:
        """Start a process inside, in the private PID namespace: it ends, at the latest, with the program.

        Takes what subprocess.Popen takes. ``pid`` is the PID as the program sees it.
        """
        return self.call(self._spawn, argv, popen_kwargs)

    def get_sysctl(self, name: str) -> str:
        """The value of a ``net.`` sysctl ("net.ipv4.tcp_retries2") in this namespace, as text."""
        return self.call(_sysctl(name).read_text).strip()

    def set_sysctl(self, name: str, value: int | str) -> None:
        """Set a ``net.`` sysctl in this namespace. Raises LabError where the kernel does not have it or refuses."""
        self.call(write_sysctl, name, value)

    def sockets(self, ports: set[int] | None = None) -> list[SocketState]:
        """Every TCP socket here, v4 and v6, of which either port is in ``ports`` (None: any)."""
        with self._lock:
            return self._opened().dump(ports)

    def socket(self, ipv: int, local: tuple[str, int], remote: tuple[str, int]) -> SocketState | None:
        """The socket here of one connection between two addresses with their ports; None where there is none."""
        with self._lock:
            return self._opened().find(ipv, local, remote)

    def _opened(self) -> Diag:
        if self._diag is None:
            self._diag = self.call(Diag)
        return self._diag

    def close(self) -> None:
        """Let go of the namespace; the kernel removes it once no process and no socket is left in it. Idempotent."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            if self._diag:
                self._diag.close()
        os.close(self.fd)
        self._thread.shutdown(wait=False)

    def _move_in(self, new: bool) -> int:
        if new:
            syscalls.unshare(syscalls.CLONE_NEWNET)
        self._inside = threading.get_ident()
        return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)

    def _spawn(self, argv: Sequence[str], popen_kwargs: dict[str, Any]) -> subprocess.Popen[Any]:
        entered = enter.current()
        if entered and not self._in_private_pids:
            # From here on this thread can start no threads, only processes (pid_namespaces(7)).
            syscalls.setns(entered.anchor.namespace_fd, syscalls.CLONE_NEWPID)
            self._in_private_pids = True
        return subprocess.Popen(argv, **popen_kwargs)


def write_sysctl(name: str, value: int | str) -> None:
    """Set a ``net.`` sysctl in the calling thread's network namespace. Raises LabError."""
    try:
        _sysctl(name).write_text(str(value))
    except OSError as error:
        raise LabError(f"sysctl {name}={value}: {error.strerror}") from error


def _sysctl(name: str) -> Path:
    # /proc/sys/net shows the namespace of the thread that looks (fs/proc/proc_sysctl.c, net/sysctl_net.c).
    if not name.startswith("net."):
        raise LabError(f"sysctl {name} does not belong to a network namespace; those begin with net.")
    return Path("/proc/sys", *name.split("."))
