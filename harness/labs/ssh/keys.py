"""Proving who we are, in the order of ssh(1): the SSH agent's keys, key files, then what a person types.

Keys that need a passphrase come last, so that nobody is asked in vain.
"""

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from paramiko.agent import AgentSSH
from paramiko.ecdsakey import ECDSAKey
from paramiko.ed25519key import Ed25519Key
from paramiko.pkey import PKey, PublicBlob
from paramiko.rsakey import RSAKey
from paramiko.ssh_exception import (
    AuthenticationException,
    BadAuthenticationType,
    PasswordRequiredException,
    SSHException,
)
from paramiko.transport import Transport

from harness.errors import Unavailable
from harness.labs.ssh.config import LIMIT_S, Target
from harness.labs.ssh.prompts import Prompts

_KINDS: tuple[Any, ...] = (Ed25519Key, RSAKey, ECDSAKey)
# A person types: that takes longer than a host does.
_TYPING_S = 120


class Agent:
    """The keys of the SSH agent at a socket of our choosing: paramiko's own reads only the environment."""

    def __init__(self, path: str | None) -> None:
        self._agent: Any = AgentSSH()
        if path is None:
            return
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.settimeout(_TYPING_S)  # it may ask its user to confirm
        try:
            sock.connect(path)
            self._agent._connect(sock)
        except (OSError, SSHException):
            sock.close()  # no agent there: the key files remain

    @property
    def keys(self) -> tuple[Any, ...]:
        return tuple(self._agent.get_keys())

    def close(self) -> None:
        self._agent._close()


class Authentication:
    """One login's attempts, each remembered for the line that says why none was good."""

    def __init__(self, transport: Transport, target: Target, prompts: Prompts) -> None:
        self._transport, self._target, self._prompts = transport, target, prompts
        self._may_ask = target.may_ask and prompts.possible
        self._tried: list[str] = []
        self._locked: list[str] = []

    def run(self) -> None:
        """Log in. Raises Unavailable."""
        offered = self._offered()
        if "publickey" in offered:
            agent = Agent(self._target.agent)
            with contextlib.closing(agent):
                offered = self._try_keys(agent, offered)
        if offered and self._may_ask:
            offered = self._try_typed(offered)
        if offered:
            raise Unavailable(f"{self._target.typed}: {self._denied(offered)}")

    def _offered(self) -> list[str]:
        """Return the methods that the host allows; none where it lets us in as we are."""
        try:
            return list(self._transport.auth_none(self._target.user))
        except BadAuthenticationType as error:
            return list(error.allowed_types)

    def _try_keys(self, agent: Agent, offered: list[str]) -> list[str]:
        """Return what the host still asks for: nothing where a key was enough."""
        for name, key in self._keys(agent):
            self._tried.append(name)
            try:
                offered = list(self._transport.auth_publickey(self._target.user, key))
            except (SSHException, ValueError, OSError) as error:
                self._still_there(error)
                continue
            if "publickey" not in offered:
                break
        return offered

    def _keys(self, agent: Agent) -> Iterator[tuple[str, PKey]]:
        stated = [file for file in self._target.identities if file.suffix == ".pub" or file.is_file()]
        stated += [Path(f"{file}.pub") for file in self._target.identities if not file.is_file()]
        blobs = [blob for file in stated if (blob := _public(file))]
        ours = [key for key in agent.keys if key.asbytes() in blobs]
        others = [] if self._target.identities_only else [key for key in agent.keys if key not in ours]
        for key in [*ours, *others]:
            yield f"the agent's {key.comment or key.get_name()}", key
        held = {key.asbytes() for key in agent.keys}
        locked = []
        for file in self._target.identities:
            if not file.is_file() or file.suffix == ".pub" or _public(file) in held:
                continue
            try:
                key = _load(file, None)
            except PasswordRequiredException:
                locked.append(file)
                continue
            yield from self._with_certificates(file, key)
        for file in locked:
            if (key := self._unlocked(file)) is not None:
                yield from self._with_certificates(file, key)

    def _unlocked(self, file: Path) -> PKey | None:
        loaded: list[PKey] = []

        def opens(passphrase: str) -> bool:
            key = _load(file, passphrase)
            if key is not None:
                loaded.append(key)
            return key is not None

        if self._may_ask and self._prompts.passphrase(file, opens):
            return loaded[-1]
        self._locked.append(str(file))
        return None

    def _with_certificates(self, file: Path, key: PKey | None) -> Iterator[tuple[str, PKey]]:
        """Yield the key with each certificate that is its own, then alone."""
        if key is None:
            self._tried.append(f"{file} (no key that can be read)")
            return
        for certificate in (Path(f"{file}-cert.pub"), *self._target.certificates):
            if certificate.is_file():
                with contextlib.suppress(ValueError, OSError, SSHException):
                    key.load_certificate(str(certificate))
                    yield str(certificate), key
                key.public_blob = None
        yield str(file), key

    def _try_typed(self, offered: list[str]) -> list[str]:
        """Ask for what only a person knows. Return what the host still asks for."""
        who = f"{self._target.user}@{self._target.host}"
        self._transport.auth_timeout = _TYPING_S
        try:
            if "keyboard-interactive" in offered:
                self._tried.append("keyboard-interactive")
                return list(self._transport.auth_interactive(self._target.user, self._answers))
            if "password" in offered and (typed := self._prompts.secret(f"Password for {who}: ")):
                self._tried.append("password")
                return list(self._transport.auth_password(self._target.user, typed, fallback=False))
        except SSHException as error:
            self._still_there(error)
        finally:
            self._transport.auth_timeout = LIMIT_S
        return offered

    def _answers(self, title: str, instructions: str, prompts: list[tuple[str, bool]]) -> list[str]:
        return [self._prompts.secret(f"{self._target.typed}: {prompt.strip()} ") or "" for prompt, _ in prompts]

    def _still_there(self, error: Exception) -> None:
        """Go on after a refusal, unless it was the last."""
        timeout = isinstance(error, AuthenticationException) and "timeout" in str(error).lower()
        if timeout:
            raise Unavailable(f"{self._target.typed}: the login was not answered within {LIMIT_S} s")
        if not self._transport.is_active():
            raise Unavailable(f"{self._target.typed}: {self._denied([])}; then the host closed the connection")

    def _denied(self, offered: list[str]) -> str:
        words = [f"permission denied for {self._target.user}"]
        if offered:
            words.append(f"the host allows {', '.join(offered)}")
        words.append(f"tried: {', '.join(self._tried) or 'nothing, for want of a key'}")
        if self._locked:
            words.append(f"not opened for want of a passphrase: {', '.join(self._locked)} (ssh-add it)")
        return "; ".join(words)


def _load(file: Path, passphrase: str | None) -> PKey | None:
    """Return the private key; None for what is none or does not open. Raises PasswordRequiredException."""
    for kind in _KINDS:
        try:
            key = kind.from_private_key_file(str(file), passphrase)
        except PasswordRequiredException:
            raise
        except (SSHException, ValueError, OSError, IndexError):
            continue  # of another kind, or the wrong passphrase
        return cast(PKey, key)
    return None


def _public(file: Path) -> bytes | None:
    """Return the public half of a key file as it is on the wire, from the .pub beside it where there is one."""
    public = file if file.suffix == ".pub" else Path(f"{file}.pub")
    with contextlib.suppress(OSError, ValueError):
        return bytes(PublicBlob.from_file(str(public)).key_blob)
    with contextlib.suppress(SSHException):
        key = _load(file, None)
        return None if key is None else bytes(key.asbytes())
    return None
