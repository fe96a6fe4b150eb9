"""One test host as the ground keeps it: its cables, its life, its end. What both kinds have."""

import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from netns.errors import LabError
from netns.namespace import Namespace
from tests.ssh import wires
from tests.ssh.plan import Plan

_HERE = Path(__file__).parent
_READY_WITHIN_S = 30.0
# What OpenSSH's sshd says of each of its two sockets, when it can be connected to.
_LISTENING, _SOCKETS = b"Server listening on", 2
_HOST_INDEX = 100


class Machine:
    """Ports ``index``, ``index`` + 1, ... on the controller's switches, a process, and a log."""

    def __init__(self, plan: Plan, name: str, controller: Namespace, switches: Mapping[str, int], index: int) -> None:
        self.plan = plan
        self.name = name
        self.controller = controller
        self.switches = switches
        self.index = index
        self.log = Path(plan.folder) / f"{name}.log"
        self.ports = plan.ports(name)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def namespace(self) -> Namespace:
        """Where its packet filter and its queues are looked at."""
        raise LabError(f"{self.name} is a guest: ask it over SSH")

    @property
    def is_on(self) -> bool:
        """Whether it was started, and not switched off since."""
        return self._process is not None

    @property
    def pid(self) -> int:
        """The PID of its first process, as the ground sees it."""
        assert self._process is not None
        return self._process.pid

    def port_index(self, place: int) -> int:
        """The interface index of a port on the controller's side."""
        return self.index + place

    def mac(self, place: int) -> str:
        """The link-layer address of a device: the same after each boot, or the others would look for the old one."""
        return f"02:00:00:00:{self.index:02x}:{place:02x}"

    def start(self) -> None:
        """Begin a boot; ``await_ready`` waits for its end."""
        raise NotImplementedError

    def await_ready(self) -> None:
        """Wait until sshd can be connected to."""
        deadline = time.monotonic() + _READY_WITHIN_S
        while self.log.read_bytes().count(_LISTENING) < _SOCKETS:
            if self._process is None or self._process.poll() is not None or time.monotonic() > deadline:
                raise LabError(f"{self.name} did not come up: {self.log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.001)

    def power_off(self) -> None:
        """Everything ends at once, and nothing gets out: the wire goes first."""
        raise NotImplementedError

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _cut(self) -> None:
        """Nothing gets out any more, and nobody is told."""
        for place in range(len(self.ports)):
            self.controller.call(wires.switch, self.port_index(place), wires.DISABLED)
