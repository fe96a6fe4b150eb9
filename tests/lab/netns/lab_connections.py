"""Connections through the lab, for the tests here."""

import contextlib

# Wanted by create_connection, and not to be read any more by a test that has become nobody.
import encodings.idna  # noqa: F401  (imported for its effect)
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from netns.filter import Flow
from netns.lab import Lab

FAMILY = {4: socket.AF_INET, 6: socket.AF_INET6}
# Longer than two retransmissions, and more than a loaded machine takes over one packet.
HEARD_WITHIN_S = 3.0
# Longer than a packet takes by far, and shorter than its first retransmission (TLP and RTO: 0.2 s and more).
SILENCE_S = 0.15


@dataclass(frozen=True)
class Connection:
    client: socket.socket
    server: socket.socket
    flow: Flow


@contextlib.contextmanager
def connected(lab: Lab, ipv: int, port: int = 7000, client_port: int = 0) -> Iterator[Connection]:
    """A TCP connection from the client to the server."""
    address = (lab.server.addresses[ipv], port)
    with (
        lab.server.call(socket.create_server, address, family=FAMILY[ipv]) as listener,
        lab.client.call(socket.create_connection, address, HEARD_WITHIN_S, ("", client_port)) as client,
    ):
        listener.settimeout(HEARD_WITHIN_S)
        server, _ = listener.accept()
        with server:
            server.settimeout(HEARD_WITHIN_S)
            yield Connection(client, server, Flow(ipv, client.getsockname()[1], port))


def hears(receiver: socket.socket, data: bytes) -> bool:
    """Whether ``data`` arrives next."""
    heard = b""
    try:
        while len(heard) < len(data) and (more := receiver.recv(len(data) - len(heard))):
            heard += more
    except TimeoutError:
        return False
    return heard == data


def hears_nothing(receiver: socket.socket) -> bool:
    """Whether nothing arrives for a while."""
    before = receiver.gettimeout()
    receiver.settimeout(SILENCE_S)
    try:
        receiver.recv(1, socket.MSG_PEEK)
    except TimeoutError:
        return True
    finally:
        receiver.settimeout(before)
    return False


def error_of(receiver: socket.socket) -> int | None:
    """The errno with which the connection ends, or None if data, an end, or nothing comes."""
    try:
        receiver.recv(1)
    except OSError as error:
        return error.errno
    return None


def eventually(condition: Callable[[], object], within_s: float = 5.0, every_s: float = 0.005) -> bool:
    """Whether the condition comes true in time."""
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(every_s)
    return True
