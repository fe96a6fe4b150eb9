"""The keys of one run of the tests: one for the user, one for each host, and one that nobody knows."""

import subprocess
from pathlib import Path

import msgspec

HOSTS = ("client", "server", "router")


class Keys(msgspec.Struct, frozen=True):
    """Ed25519 key pairs in OpenSSH's format, in ``folder``: ``user``, a host's by its name, and ``stranger``."""

    folder: Path

    def private(self, name: str) -> Path:
        return self.folder / name

    def public(self, name: str) -> str:
        """Type and key, as known_hosts and authorized_keys have them."""
        kind, key = (self.folder / f"{name}.pub").read_text().split()[:2]
        return f"{kind} {key}"


def make(folder: Path) -> Keys:
    """Generate them, without passphrases."""
    for name in ("user", *HOSTS, "stranger"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", folder / name],
            check=True,
            stdin=subprocess.DEVNULL,
        )
    return Keys(folder)
