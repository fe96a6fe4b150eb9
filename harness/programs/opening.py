"""From a name and a port to a socket that listens or is connected; where there is none, one line says why.

A name is resolved in a thread: getaddrinfo(3) waits for name servers without heeding Ctrl-C.
"""

import errno
import os
import socket
import threading
from collections.abc import Sequence
from typing import Any

from harness.errors import HalfopenError, Refused, Unavailable
from harness.programs.words import place

# family, type, protocol, canonical name, address
_Found = Sequence[tuple[int, int, int, str, Any]]


def listener(host: str | None, port: int) -> socket.socket:
    """Return a socket that listens: on ``host``, or on every address of this machine. Raises Refused, Unavailable."""
    try:
        if host is not None:
            family, _, _, _, address = _resolved(host, port, "--bind")[0]
            return socket.create_server(address, family=family)
        if socket.has_dualstack_ipv6():
            return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
        return socket.create_server(("", port))
    except OSError as error:
        raise _no_listener(host, port, error) from None


def _no_listener(host: str | None, port: int, error: OSError) -> HalfopenError:
    where = f"port {port}" if host is None else f"port {port} of {host}"
    if error.errno == errno.EADDRINUSE:
        return Unavailable(f"{where} is in use; take another --port, or see who has it: ss -ltnp 'sport = :{port}'")
    if error.errno == errno.EACCES:
        return Unavailable(f"{where} is for privileged programs only; take --port 1024 or above")
    if error.errno == errno.EADDRNOTAVAIL:
        return Unavailable(f"--bind: {host} is no address of this machine; ip address lists those that are")
    return Unavailable(f"cannot listen on {where}: {_meaning(error)}")


def connected(host: str, port: int) -> socket.socket:
    """Return a socket connected to the first address of ``host`` that answers. Raises Refused, Unavailable."""
    failures: dict[str, OSError] = {}
    for family, kind, protocol, _, address in _resolved(host, port, "--host"):
        sock = None
        try:
            sock = socket.socket(family, kind, protocol)
            sock.connect(address)
        except OSError as error:
            failures[place(address)] = error
        except KeyboardInterrupt:
            _close(sock)
            raise
        else:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return sock
        _close(sock)
    raise _no_connection(host, port, failures)


def _close(sock: socket.socket | None) -> None:
    if sock is not None:
        sock.close()


def _no_connection(host: str, port: int, failures: dict[str, OSError]) -> HalfopenError:
    tried = "; ".join(f"{where}: {_meaning(error)}" for where, error in failures.items())
    if all(error.errno == errno.ECONNREFUSED for error in failures.values()):
        return Unavailable(f"nobody listens on port {port} of {host} ({tried}); first run: invoke server --port {port}")
    return Unavailable(f"cannot connect to {host}, port {port} ({tried})")


def _resolved(host: str, port: int, option: str) -> _Found:
    found: list[_Found] = []
    problem: list[Exception] = []

    def resolve() -> None:
        try:
            found.append(socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError, ValueError) as error:
            problem.append(error)

    if not host or "\0" in host:
        raise Refused(f"{option}: {host!r} is refused; a name or an address is allowed")
    thread = threading.Thread(target=resolve, daemon=True)
    thread.start()
    thread.join()
    if found:
        return found[0]
    if isinstance(problem[0], UnicodeError):
        raise Refused(f"{option}: {host!r} is refused; a name has parts of 1 to 63 characters")
    raise Unavailable(f"{option}: the name {host!r} does not resolve: {_meaning(problem[0])}")


def _meaning(error: Exception) -> str:
    if isinstance(error, socket.gaierror):
        return str(error.strerror).lower()
    return os.strerror(error.errno).lower() if isinstance(error, OSError) and error.errno else str(error)
