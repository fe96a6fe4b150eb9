"""Host keys against known_hosts: sshd(8), SSH_KNOWN_HOSTS FILE FORMAT.

Read here, because paramiko.HostKeys knows neither patterns nor markers, and gives up on a file with one bad line.
"""

import base64
import binascii
import fnmatch
import hashlib
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from paramiko.hostkeys import HostKeys

from harness.errors import Unavailable
from harness.labs.ssh.config import Target

# One RSA key is known by one name and proves itself under newer ones (RFC 8332).
_ALGORITHMS = {"ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256")}


class Distrusted(Unavailable):
    """The host's key is not known as its own."""


class HostKey(NamedTuple):
    """A host's public key: ``type`` as in known_hosts, ``blob`` as on the wire."""

    type: str
    blob: bytes

    @property
    def fingerprint(self) -> str:
        """As ssh-keygen -l shows it."""
        return "SHA256:" + base64.b64encode(hashlib.sha256(self.blob).digest()).decode().rstrip("=")

    def __str__(self) -> str:
        return f"{self.type} {self.fingerprint}"


class Known(NamedTuple):
    """One line about a host. ``marker``: empty, @revoked or @cert-authority; ``name``: which of its names matched."""

    file: Path
    line: int
    marker: str
    name: str
    key: HostKey


def known(target: Target) -> list[Known]:
    """Return the lines about ``target`` from all its files that are there."""
    return [entry for file in target.known_files for entry in _matching(file, target.known_as)]


def algorithms(entries: list[Known], supported: tuple[str, ...]) -> tuple[str, ...]:
    """Return ``supported`` with those first whose keys are known: a host with several keys is to show one of these."""
    first = [
        name for entry in entries for name in _ALGORITHMS.get(entry.key.type, (entry.key.type,)) if not entry.marker
    ]
    return tuple(dict.fromkeys([*(name for name in first if name in supported), *supported]))


def verify(target: Target, key: HostKey, entries: list[Known]) -> None:
    """Raise Distrusted unless ``key`` is known as the host's."""
    about = [entry for entry in entries if not entry.marker]
    if any(entry.marker == "@revoked" and entry.key == key for entry in entries):
        raise Distrusted(f"{target.typed}: its host key {key} is revoked in known_hosts")
    if any(entry.key == key for entry in about):
        return
    # A line for the name without its port accepts, but its not matching is no change: another server may be meant.
    about = [entry for entry in about if entry.name == target.known_as[0]]
    if not about:
        raise Distrusted(
            f"{target.typed}: its host key is not known: {key}. If that fingerprint is the host's own, "
            f"accept it with: {_append(target, key)}"
        )
    old = next((entry for entry in about if entry.key.type == key.type), about[0])
    # Only a file's own lines can be removed from it.
    files = " && ".join(
        f"ssh-keygen -R {shlex.quote(target.known_as[0])} -f {shlex.quote(str(file))}"
        for file in dict.fromkeys(entry.file for entry in about)
    )
    raise Distrusted(
        f"{target.typed}: ITS HOST KEY HAS CHANGED, or another host answers in its place: it shows {key}, while line "
        f"{old.line} of {old.file} has {old.key}. If the change is the host's own, accept it with: "
        f"{files} && {_append(target, key)}"
    )


def _append(target: Target, key: HostKey) -> str:
    """Return the command that makes exactly this key known: nothing is fetched again, nothing else is accepted."""
    file = target.known_files[0] if target.known_files else Path("~/.ssh/known_hosts").expanduser()
    line = shlex.quote(f"{target.known_as[0]} {key.type} {base64.b64encode(key.blob).decode()}")
    directory = "" if file.parent.is_dir() else f"mkdir -p -m 700 {shlex.quote(str(file.parent))} && "
    try:
        ends_openly = not file.read_bytes().endswith(b"\n") and file.stat().st_size > 0
    except OSError:
        ends_openly = False
    newline = "echo; " if ends_openly else ""
    group = f"{{ {newline}echo {line}; }}" if newline else f"echo {line}"
    return f"{directory}{group} >> {shlex.quote(str(file))}"


def _matching(file: Path, names: tuple[str, ...]) -> Iterator[Known]:
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    for number, line in enumerate(text.splitlines(), 1):
        fields = line.split()
        marker = fields.pop(0) if fields and fields[0].startswith("@") else ""
        if len(fields) < 3 or fields[0].startswith("#"):
            continue
        name = next((name for name in names if _matches(name, fields[0])), None)
        if name is None:
            continue
        try:
            yield Known(file, number, marker, name, HostKey(fields[1], base64.b64decode(fields[2], validate=True)))
        except binascii.Error:
            continue


def _matches(name: str, patterns: str) -> bool:
    """A name is meant where a pattern fits, and none that is negated; a hashed one stands alone."""
    if patterns.startswith("|1|"):
        try:
            return bool(HostKeys.hash_host(name, patterns) == patterns)
        except (ValueError, IndexError, AssertionError):
            return False
    fits = False
    for pattern in patterns.lower().split(","):
        # Brackets are no set of characters here: they hold a name that has a port.
        if fnmatch.fnmatchcase(name, pattern.removeprefix("!").replace("[", "[[]")):
            if pattern.startswith("!"):
                return False
            fits = True
    return fits
