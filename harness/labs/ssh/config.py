"""What ssh_config(5) says of a host: where it is, as whom, with which keys, known by which name.

Parsed by paramiko.SSHConfig, which lacks Include and the precedence of what was typed: both are added to its text.
StrictHostKeyChecking is not looked at: host keys are always verified.
"""

import getpass
import glob
import os
import shlex
from pathlib import Path

import msgspec
from paramiko.config import SSHConfig
from paramiko.ssh_exception import SSHException

from harness.errors import Unavailable
from harness.spec.hosts import RemoteHost

# Connecting and each step of the handshake: nobody waits longer, whatever ConnectTimeout says.
LIMIT_S = 10
_OWN_FILES = ("~/.ssh/config", "/etc/ssh/ssh_config")
_KEYS = ("~/.ssh/id_rsa", "~/.ssh/id_ecdsa", "~/.ssh/id_ed25519")
_USER_KNOWN = "~/.ssh/known_hosts ~/.ssh/known_hosts2"
_GLOBAL_KNOWN = "/etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2"
_DEEPEST_INCLUDE = 16


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """One SSH server to log in to.

    ``known_as``: its names in known_hosts, first the one to be written there. ``agent``: the socket of the SSH agent to
    ask. ``jumps``: the hosts on the way, nearest first. ``ipv``: 4, 6, or 0 for either.
    """

    typed: str
    host: str
    port: int
    user: str
    known_as: tuple[str, ...]
    known_files: tuple[Path, ...]
    identities: tuple[Path, ...]
    certificates: tuple[Path, ...] = ()
    identities_only: bool = False
    agent: str | None = None
    jumps: tuple[str, ...] = ()
    proxy_command: str | None = None
    timeout_s: float = LIMIT_S
    may_ask: bool = True
    ipv: int = 0


def target_of(host: RemoteHost, ssh_config: Path | None) -> Target:
    """Look ``host`` up in ``ssh_config`` (None: the user's file, then the system's). Raises Unavailable."""
    head = []
    if host.user is not None:
        head.append(f"User {host.user}")
    if host.port is not None:
        head.append(f"Port {host.port}")
    files = [Path(name).expanduser() for name in _OWN_FILES] if ssh_config is None else [ssh_config]
    try:
        # The first value found counts: what was typed, the user's file, the system's.
        text = "\n".join([*head, *("Host *\n" + _expanded(file, 0) for file in files if file.is_file())])
        found = SSHConfig.from_text(text).lookup(host.name)
        return _target(host, dict(found))
    except (SSHException, OSError, ValueError, KeyError) as error:
        where = " or ".join(map(str, files))
        raise Unavailable(f"{host.name_typed}: {where} cannot be understood: {error}") from None


def _expanded(file: Path, depth: int) -> str:
    """Return the text of ``file`` with what it includes put in its place."""
    if depth > _DEEPEST_INCLUDE:
        raise ValueError(f"{file} includes itself, or too deep")
    lines, block = [], "Host *"
    for line in file.read_text(encoding="utf-8", errors="surrogateescape").splitlines():
        keyword, _, rest = line.strip().replace("=", " ", 1).partition(" ")
        if keyword.lower() in ("host", "match"):
            block = line
        if keyword.lower() != "include":
            lines.append(line)
            continue
        for pattern in shlex.split(rest):
            # A relative path is relative to ~/.ssh, or to /etc/ssh in the system's file.
            start = Path("/etc/ssh") if file.is_relative_to("/etc/ssh") else Path("~/.ssh").expanduser()
            # Path.glob takes no absolute pattern.
            for included in sorted(glob.glob(str(start / Path(pattern).expanduser()))):  # noqa: PTH207
                lines.append(_expanded(Path(included), depth + 1))
        lines.append(block)  # what follows belongs to the block in which the Include stood
    return "\n".join(lines)


def _target(host: RemoteHost, found: dict[str, str | list[str] | None]) -> Target:
    def text(key: str, default: str = "") -> str:
        value = found.get(key)
        return value if isinstance(value, str) else default

    def paths(value: str) -> tuple[Path, ...]:
        names = shlex.split(value)
        return tuple(Path(_tokens(name, name_of)).expanduser() for name in names if name.lower() != "none")

    real, port, user = text("hostname", host.name), int(text("port", "22")), text("user") or getpass.getuser()
    name_of = {"%h": real, "%n": host.name, "%p": str(port), "%r": user, "%d": str(Path.home()), "%k": real}
    stated = found.get("identityfile")
    identities = stated if isinstance(stated, list) else list(_KEYS)
    command = text("proxycommand")
    jump = text("proxyjump")
    return Target(
        typed=host.name_typed,
        host=real,
        port=port,
        user=user,
        known_as=_known_as(real, port, text("hostkeyalias")),
        known_files=paths(text("userknownhostsfile", _USER_KNOWN)) + paths(text("globalknownhostsfile", _GLOBAL_KNOWN)),
        identities=tuple(Path(name).expanduser() for name in identities if name.lower() != "none"),
        certificates=paths(text("certificatefile")),
        identities_only=text("identitiesonly").lower() == "yes",
        agent=_agent(text("identityagent", "SSH_AUTH_SOCK"), name_of),
        jumps=() if jump.lower() in ("", "none") else tuple(jump.replace(" ", "").split(",")),
        proxy_command=_tokens(command, name_of) if command else None,
        timeout_s=min(LIMIT_S, float(text("connecttimeout", "inf").replace("none", "inf")) or LIMIT_S),
        may_ask=text("batchmode").lower() != "yes",
        ipv={"inet": 4, "inet6": 6}.get(text("addressfamily").lower(), 0),
    )


def _known_as(name: str, port: int, alias: str) -> tuple[str, ...]:
    """As sshconnect.c (check_host_key): an alias has no port, and a name with one falls back to the name alone."""
    if alias:
        return (alias.lower(),)
    return (name.lower(),) if port == 22 else (f"[{name.lower()}]:{port}", name.lower())


def _agent(value: str, name_of: dict[str, str]) -> str | None:
    if value.lower() == "none":
        return None
    if value == "SSH_AUTH_SOCK":
        return os.environ.get("SSH_AUTH_SOCK") or None
    if value.startswith("$"):
        return os.environ.get(value[1:].strip("{}")) or None
    return str(Path(_tokens(value, name_of)).expanduser())


def _tokens(text: str, name_of: dict[str, str]) -> str:
    """Replace ssh_config's tokens; paramiko knows some of them, for some keys."""
    parts = text.split("%%")
    for token, value in name_of.items():
        parts = [part.replace(token, value) for part in parts]
    return "%".join(parts)
