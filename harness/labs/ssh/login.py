"""From a host to an authenticated SSH transport. Synchronous: made in a thread, given up by closing what it opened."""

import contextlib
import logging
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from paramiko.channel import Channel
from paramiko.ssh_exception import ChannelException, IncompatiblePeer, SSHException
from paramiko.transport import Transport

from harness.errors import Unavailable
from harness.labs.ssh import known
from harness.labs.ssh.config import LIMIT_S, Target, target_of
from harness.labs.ssh.keys import Authentication
from harness.labs.ssh.prompts import Prompts
from harness.labs.ssh.reach import Opened, connect_command, connect_tcp
from harness.spec.hosts import RemoteHost

# Without a handler of its own, logging prints a library's warnings and tracebacks: each is one line of ours instead.
logging.getLogger("paramiko").addHandler(logging.NullHandler())

_MOST_JUMPS = 8


class Session(msgspec.Struct, frozen=True):
    """``control``: the server's address and port; None where the bytes go through another host or a command."""

    transport: Transport
    host_key: known.HostKey
    control: tuple[str, int] | None


def log_in(host: RemoteHost, ssh_config: Path | None, prompts: Prompts, opened: Opened) -> Session:
    """Connect, verify the host's key, authenticate. What was opened is in ``opened``, also on failure.

    Raises Unavailable, in one line that names the host as it was typed.
    """
    return _log_in(target_of(host, ssh_config), ssh_config, prompts, opened, 0)


def _log_in(target: Target, ssh_config: Path | None, prompts: Prompts, opened: Opened, depth: int) -> Session:
    if depth > _MOST_JUMPS:
        raise Unavailable(f"{target.typed}: its ProxyJump leads in a circle")
    control: tuple[str, int] | None = None
    last_words: Callable[[], str] = str
    if target.jumps:
        sock = _through(target, ssh_config, prompts, opened, depth)
    elif target.proxy_command:
        sock, last_words = connect_command(target, opened)
    else:
        sock = connect_tcp(target, opened)
        address, port, *_ = sock.getpeername()
        control = address, port
    # Not ServiceRequestingTransport: it waits for ever for a host that has gone just then.
    transport = Transport(sock)
    transport.daemon = True
    opened.keep(lambda: _end(transport))
    try:
        key = _handshake(transport, target)
        Authentication(transport, target, prompts).run()
    except (SSHException, EOFError, OSError) as error:
        raise Unavailable(f"{target.typed}: {_failed(error, transport, last_words)}") from None
    return Session(transport, key, control)


def _handshake(transport: Transport, target: Target) -> known.HostKey:
    transport.banner_timeout = transport.handshake_timeout = transport.auth_timeout = LIMIT_S
    transport.channel_timeout = LIMIT_S
    entries = known.known(target)
    options = transport.get_security_options()
    options.key_types = known.algorithms(entries, options.key_types)
    transport.start_client(timeout=LIMIT_S)
    shown = transport.get_remote_server_key()
    key = known.HostKey(shown.get_name(), shown.asbytes())
    known.verify(target, key, entries)
    return key


def _through(target: Target, ssh_config: Path | None, prompts: Prompts, opened: Opened, depth: int) -> Any:
    """Log in to the last of the hosts on the way, by the way of those before, and open a channel from there."""
    *before, last = target.jumps
    hop = target_of(_jump_host(last, target), ssh_config)
    if before:
        hop = msgspec.structs.replace(hop, jumps=tuple(before), proxy_command=None)
    session = _log_in(hop, ssh_config, prompts, opened, depth + 1)
    try:
        return session.transport.open_channel(
            "direct-tcpip", (target.host, target.port), ("127.0.0.1", 0), timeout=target.timeout_s
        )
    except ChannelException as error:
        raise Unavailable(
            f"{target.typed}: {last} cannot reach {target.host} port {target.port}: {error.text}"
        ) from None
    except (SSHException, EOFError) as error:
        raise Unavailable(f"{target.typed}: no way through {last}: {error}") from None


def _jump_host(text: str, target: Target) -> RemoteHost:
    """ProxyJump's ``[user@]host[:port]`` or ``ssh://…`` (ssh_config(5))."""
    rest = text.removeprefix("ssh://").rstrip("/")
    user, _, rest = rest.rpartition("@")
    name, colon, port = rest.rpartition(":")
    if not colon or (rest.count(":") > 1 and not name.endswith("]")):
        name, port = rest, ""
    if port and not port.isdecimal():
        raise Unavailable(f"{target.typed}: ProxyJump {text}: {port!r} is no port")
    return RemoteHost(
        side="router",
        name_typed=f"{target.typed} (by way of {text})",
        user=user or None,
        name=name.strip("[]"),
        port=int(port) if port else None,
    )


def cut(transport: Transport) -> None:
    """Break the connection at once. Its thread, which waits for bytes, wakes and ends."""
    with contextlib.suppress(OSError, EOFError, SSHException):  # the other end was quicker
        if isinstance(transport.sock, Channel):
            transport.sock.close()  # a channel's shutdown would not wake it
        else:
            transport.sock.shutdown(socket.SHUT_RDWR)


def _end(transport: Transport) -> None:
    """Close, and wait for the transport's thread."""
    cut(transport)
    if transport.is_alive():
        transport.join(LIMIT_S)
    transport.close()


def _failed(error: Exception, transport: Transport, last_words: Callable[[], str]) -> str:
    said = last_words()
    if said:
        return f"the proxy command failed: {said}"
    if isinstance(error, IncompatiblePeer):
        return f"no common way to encrypt: {error}"
    text = str(error)
    if "banner" in text or "No existing session" in text:  # the latter where start_client ran out of time
        return f"no SSH server answered within {LIMIT_S:g} s"
    if isinstance(error, EOFError) or not text or "Negotiation failed" in text:
        return "the host closed the connection in the middle of the handshake"
    return f"the handshake failed: {text}"
