"""Test hosts for whoever has the OpenSSH client: a set of them stands on a ground, a process of its own (ground.py).

Control is one network, data another; the controller has an address in the control network only.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from netns import syscalls
from tests.lab.program import ROOT, eventually
from tests.ssh import files
from tests.ssh.keys import Keys
from tests.ssh.plan import CONTROL, PORTS, Plan


class TestHost(msgspec.Struct, frozen=True):
    """Where a host is: its control address, its data addresses by IP version, sshd's port, who logs in."""

    __test__ = False

    name: str
    control: str
    data: dict[int, str]
    port: int
    user: str


_TOOLS = {
    "sshd": "openssh-server",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "unshare": "util-linux",
    "setpriv": "util-linux",
}


def missing(tools: Mapping[str, str] = _TOOLS) -> str | None:
    """Return the one reason why there can be no such hosts here, or None. ``tools``: the package of each."""
    if os.geteuid() != 0:
        return "sshd needs root: run the tests in tests/ssh as root"
    lacking = sorted({tools[tool] for tool in tools if not _which(tool)})
    return f"missing here: apt-get install {' '.join(lacking)}" if lacking else None


def _which(tool: str) -> str | None:
    return shutil.which(tool, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


class Pair:
    """Two hosts (``client``, ``server``), or three (``router``), ready for SSH when constructed. Close it."""

    def __init__(self, plan: Plan, keys: Keys) -> None:
        self.plan = plan
        self.keys = keys
        self.folder = Path(plan.folder)
        self.hosts_file = self.folder / "hosts.toml"
        self.ssh_config = self.folder / "ssh_config"
        self.known_hosts = self.folder / "known_hosts"
        self.user_key = keys.private("user")
        self.hosts = {
            name: TestHost(name, CONTROL[name], plan.data(name), PORTS[name], plan.user) for name in plan.names
        }
        for name in plan.names:
            files.write_host(plan, keys, name)
        files.write_controller(plan, keys)
        self._ground = subprocess.Popen(
            [sys.executable, "-m", "tests.ssh.ground"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # Not the terminal's: Ctrl-C is for pytest, whose end is the ground's.
            start_new_session=True,
        )
        try:
            self._send(msgspec.json.encode(plan))
            described = self._receive()
        except BaseException:
            self.close()
            raise
        self.network = Path(f"/proc/{self._ground.pid}/fd/{described['net']}")
        self._user = Path(f"/proc/{self._ground.pid}/ns/user")

    def close(self) -> None:
        """End every host, and wait until nothing of them is left. Idempotent."""
        assert self._ground.stdin is not None
        assert self._ground.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._ground.stdin.close()
        try:
            self._ground.wait(10)
        finally:
            self._ground.kill()
            self._ground.wait()
            self._ground.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    # The controller

    @property
    def through(self) -> tuple[str, ...]:
        """What runs Python in the controller's network, for as long as the tests run."""
        return self.command(sys.executable)

    def command(self, *argv: str) -> tuple[str, ...]:
        """``argv`` in the controller's network, as root; it dies with the tests."""
        return ("nsenter", f"--net={self.network}", "setpriv", "--pdeathsig", "KILL", *argv)

    def run(self, *argv: str, within_s: float = 30) -> subprocess.CompletedProcess[str]:
        """Run a command in the controller's network."""
        return _run(self.command(*argv), within_s)

    def ssh(self, name: str, *command: str, given: str = "", within_s: float = 30) -> subprocess.CompletedProcess[str]:
        """Run a command on a host by the OpenSSH client; ``given`` is its input."""
        words = ("ssh", "-F", str(self.ssh_config), "-o", "BatchMode=yes", name, *command)
        return _run(self.command(*words), within_s, given)

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """Have the calling thread, and those that it starts, be in the controller's network."""
        with open("/proc/thread-self/ns/net", "rb") as before, self.network.open("rb") as there:  # noqa: PTH123
            syscalls.setns(there.fileno(), syscalls.CLONE_NEWNET)
            try:
                yield
            finally:
                syscalls.setns(before.fileno(), syscalls.CLONE_NEWNET)

    # The wires

    def cut(self, name: str, link: str) -> None:
        """Let nothing through to or from a host's ``link`` (control, data), without a word to anybody."""
        self._ask("cut", name, link=link)

    def heal(self, name: str, link: str) -> None:
        self._ask("heal", name, link=link)

    def reaches(self, source: str, target: str, ipv: int = 4, within_s: float = 0.3) -> bool:
        """Whether an echo request from one host to the other's data address is answered."""
        return bool(self._ask("ping", source, address=self.hosts[target].data[ipv], within_s=within_s))

    # The hosts

    def power_off(self, name: str) -> None:
        """Everything in a host ends at once; no FIN and no RST gets out."""
        self._ask("power_off", name)

    def power_on(self, name: str) -> None:
        """The host again, with the same addresses and keys, and nothing else of before."""
        self._ask("power_on", name)

    def tables(self, name: str) -> list[str]:
        """The nftables tables of a host: family and name."""
        return list(self._ask("tables", name))

    def qdiscs(self, name: str) -> list[str]:
        """The queueing disciplines of a host: kind and device."""
        return list(self._ask("qdiscs", name))

    def inside(self, name: str, *argv: str, within_s: float = 30) -> subprocess.CompletedProcess[str]:
        """Run a command inside a host, as its root."""
        return _run(("nsenter", "--all", f"--target={self.first(name)}", *argv), within_s)

    def first(self, name: str) -> int:
        """The PID, as the tests see it, of a host's first process (its sshd)."""
        outer = self._ask("describe")["hosts"][name]
        inner = Path(f"/proc/{outer}/task/{outer}/children").read_text().split()
        return int(inner[0])

    def processes(self, name: str) -> dict[int, str]:
        """Every process in a host: its PID as the tests see it, and its command line."""
        namespace = Path(f"/proc/{self.first(name)}/ns/pid").readlink()
        found = {}
        for process in Path("/proc").iterdir():
            if process.name.isdigit():
                with contextlib.suppress(OSError):
                    if (process / "ns" / "pid").readlink() == namespace:
                        words = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                        found[int(process.name)] = words
        return found

    def files(self, name: str) -> list[str]:
        """Every file on the file systems that a host has of its own, but for what its init put there."""
        places = ("/tmp", "/var/tmp", "/dev/shm", "/run")
        found = self.inside(name, "find", *places, "-xdev", "!", "-type", "d", "!", "-path", "/run/host/*")
        return sorted(found.stdout.split())

    def is_alone(self, name: str) -> bool:
        """Whether nothing runs in a host but sshd that waits."""
        return len(self.processes(name)) == 1

    def becomes_alone(self, name: str, within_s: float = 5) -> bool:
        return eventually(lambda: self.is_alone(name), within_s, every_s=0.02)

    def _ask(self, do: str, name: str = "", **about: Any) -> Any:
        self._send(json.dumps({"do": do, "name": name, **about}).encode())
        return self._receive()

    def _send(self, line: bytes) -> None:
        assert self._ground.stdin is not None
        self._ground.stdin.write(line + b"\n")
        self._ground.stdin.flush()

    def _receive(self) -> Any:
        assert self._ground.stdout is not None
        answer = json.loads(self._ground.stdout.readline() or '{"error": "the ground has gone"}')
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["ok"]


def _run(argv: tuple[str, ...], within_s: float, given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, input=given, capture_output=True, text=True, timeout=within_s, check=False)
