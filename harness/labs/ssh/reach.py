"""The byte stream to an SSH server: TCP, or what a proxy command speaks on its standard input and output.

A host that dies without a word is noticed by the kernel: unacknowledged data ends the connection after five seconds
(TCP_USER_TIMEOUT, tcp(7)), and keepalive 2/1/3 probes it when nothing is sent. paramiko's own keepalive does neither.
"""

import contextlib
import os
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable

from paramiko.ssh_exception import SSHException

from harness.errors import Unavailable
from harness.labs.ssh.config import Target

_USER_TIMEOUT_MS = 5000
_KEEPALIVE = ((socket.TCP_KEEPIDLE, 2), (socket.TCP_KEEPINTVL, 1), (socket.TCP_KEEPCNT, 3))
_Address = tuple[socket.AddressFamily, tuple[str, int]]


class Opened:
    """What an attempt has opened, to be closed latest first: by its maker, or by another thread that gives it up."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._closers: list[Callable[[], object]] | None = []

    def keep(self, close: Callable[[], object]) -> None:
        """Remember ``close``. Raises Unavailable, having called it, where the attempt has been given up."""
        with self._lock:
            if self._closers is not None:
                self._closers.append(close)
                return
        close()
        raise Unavailable("given up")

    def close(self) -> None:
        with self._lock:
            closers, self._closers = self._closers, None
        for close in reversed(closers or []):
            with contextlib.suppress(OSError, EOFError, SSHException):
                close()


def connect_tcp(target: Target, opened: Opened) -> socket.socket:
    """Connect to the first of the host's addresses that answers. Raises Unavailable."""
    deadline = time.monotonic() + target.timeout_s
    where = f"{target.host} port {target.port}"
    failed = f"no answer from {where} within {target.timeout_s:g} s"
    for family, address in _addresses(target):
        left = deadline - time.monotonic()
        if left <= 0:
            break
        sock = socket.socket(family, socket.SOCK_STREAM)
        opened.keep(lambda sock=sock: _end(sock))  # type: ignore[misc]
        try:
            prepare(sock)
            sock.settimeout(left)
            sock.connect(address)
        except ConnectionRefusedError:
            failed = f"connection refused: nothing listens at {where} ({address[0]})"
        except TimeoutError:
            failed = f"no answer from {where} ({address[0]}) within {target.timeout_s:g} s"
        except OSError as error:
            failed = f"{where} ({address[0]}) cannot be reached: {error.strerror}"
        else:
            sock.settimeout(None)
            return sock
        sock.close()
    raise Unavailable(f"{target.typed}: {failed}")


def prepare(sock: socket.socket) -> None:
    """Have the kernel send at once, and give a silent peer up within ten seconds."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _USER_TIMEOUT_MS)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in _KEEPALIVE:
        sock.setsockopt(socket.IPPROTO_TCP, option, value)


def connect_command(target: Target, opened: Opened) -> tuple[socket.socket, Callable[[], str]]:
    """Start the proxy command on one end of a socket pair. Return the other, and what tells its last words."""
    assert target.proxy_command is not None
    said = tempfile.TemporaryFile()  # noqa: SIM115
    opened.keep(said.close)
    ours, its = socket.socketpair()
    opened.keep(lambda: _end(ours))
    with its:
        # By the user's shell, which it replaces (ssh_config(5)); in a group of its own: Ctrl-C is ours to interpret.
        shell = os.environ.get("SHELL") or "/bin/sh"
        process = subprocess.Popen(
            [shell, "-c", f"exec {target.proxy_command}"],
            stdin=its.fileno(),
            stdout=its.fileno(),
            stderr=said.fileno(),
            process_group=0,
        )
    opened.keep(lambda: _reap(process))

    def last_words() -> str:
        said.seek(0)
        lines = said.read()[-2000:].decode(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    return ours, last_words


def _reap(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.wait()


def _end(sock: socket.socket) -> None:
    # A thread that reads from it is woken by the shutdown, not by the close.
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
    sock.close()


def _addresses(target: Target) -> list[_Address]:
    """Resolve the name, in a thread: a resolver without a server may take half a minute. Raises Unavailable."""
    family = {4: socket.AF_INET, 6: socket.AF_INET6, 0: socket.AF_UNSPEC}[target.ipv]
    found: list[_Address] = []
    failed: list[str] = []

    def resolve() -> None:
        try:
            answers = socket.getaddrinfo(target.host, target.port, family, socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            failed.append(error.strerror or str(error) if isinstance(error, OSError) else str(error))
        else:
            found.extend((answer[0], answer[4]) for answer in answers)  # type: ignore[misc]

    resolver = threading.Thread(target=resolve, name="resolve", daemon=True)
    resolver.start()
    resolver.join(target.timeout_s)
    if not found:
        why = failed[0] if failed else f"no answer within {target.timeout_s:g} s"
        raise Unavailable(f"{target.typed}: the name {target.host} cannot be resolved: {why}")
    return found
