"""Two test hosts with kernels of their own, under User-Mode Linux. What is seen of them is seen over SSH.

Their kernel has no nftables for IP, and traffic control instead: the other way round than a namespace host's may.
"""

import os
import shlex
import subprocess
from pathlib import Path

from tests.ssh import namespaces
from tests.ssh.namespaces import Pair

_TOOLS = {"linux.uml": "user-mode-linux", "modprobe": "kmod", "ip": "iproute2", "tc": "iproute2"}
_PING = Path(__file__).with_name("ping.py")
_LIST = "for p in /proc/[0-9]*; do echo ${p##*/} $(tr '\\0' ' ' <$p/cmdline); done 2>/dev/null"


def missing() -> str | None:
    """Return the one reason why there can be no guests here, or None."""
    if reason := namespaces.missing() or namespaces.missing(_TOOLS):
        return reason
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        return "guests need /dev/net/tun: modprobe tun, or give it to this container"
    return None


class Guests(Pair):
    """Two guests. ``plan.kind`` is guest, and the user root. PIDs are the guest's own."""

    def reaches(self, source: str, target: str, ipv: int = 4, within_s: float = 0.3) -> bool:
        words = ("python3", "-I", "-S", "-", self.hosts[target].data[ipv], str(within_s))
        return self.ssh(source, *words, given=_PING.read_text()).returncode == 0

    def tables(self, name: str) -> list[str]:
        return []

    def qdiscs(self, name: str) -> list[str]:
        lines = [line.split() for line in self.ssh(name, "tc", "qdisc", "show").stdout.splitlines()]
        return sorted(f"{words[1]} {words[words.index('dev') + 1]}" for words in lines)

    def inside(self, name: str, *argv: str, within_s: float = 30) -> subprocess.CompletedProcess[str]:
        return self.ssh(name, shlex.join(argv), within_s=within_s)

    def processes(self, name: str) -> dict[int, str]:
        """Every process that is neither the kernel's nor of sshd and this question."""
        found = {}
        for line in self.ssh(name, _LIST).stdout.splitlines():
            pid, _, words = line.partition(" ")
            if words and "sshd" not in words and "/proc/[0-9]" not in words:
                found[int(pid)] = words
        return found

    def is_alone(self, name: str) -> bool:
        return not self.processes(name)
