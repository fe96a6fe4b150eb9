"""One test host as the ground keeps it: its cables, its life, its end. It lives in namespaces, or has its own kernel."""

import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from netns import wiring
from netns.errors import LabError
from netns.namespace import Namespace, write_sysctl
from tests.ssh import wires
from tests.ssh.plan import Plan

_HERE = Path(__file__).parent
_READY_WITHIN_S = 30.0
# What OpenSSH's sshd says of each of its two sockets, when it can be connected to.
_LISTENING, _SOCKETS = b"Server listening on", 2
_HOST_INDEX = 100


class Machine:
    """What both kinds have: ports ``index``, ``index`` + 1, ... on the controller's switches, a process, and a log."""

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
    def pid(self) -> int:
        """The PID of its first process, as the ground sees it."""
        assert self._process is not None
        return self._process.pid

    def port_index(self, place: int) -> int:
        """The interface index of a port on the controller's side."""
        return self.index + place

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


class NamespaceHost(Machine):
    """A host of this kernel. Each boot has new namespaces: the sockets of the dead stay in the old, without a wire."""

    _namespace: Namespace | None = None

    @property
    def namespace(self) -> Namespace:
        if self._namespace is None:
            raise LabError(f"{self.name} is switched off")
        return self._namespace

    def start(self) -> None:
        if self._process is not None:
            raise LabError(f"{self.name} runs already")
        self._namespace = Namespace(self.name)
        for place, port in enumerate(self.ports):
            self.controller.call(
                wires.send,
                wires.cable(
                    f"{self.name}{place}",
                    self.port_index(place),
                    self.switches[port.switch],
                    self.plan.devices[place],
                    _HOST_INDEX + place,
                    self._namespace.fd,
                ),
            )
        self._namespace.call(self._configure)
        folder = Path(self.plan.folder) / self.name
        with self.log.open("wb") as log:
            self._process = self._namespace.spawn(
                [
                    *("unshare", "--mount", "--uts", "--pid", "--fork", "--kill-child=SIGKILL", "--mount-proc"),
                    *("sh", str(_HERE / "host_init.sh"), str(folder), str(int(self.plan.read_only))),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def power_off(self) -> None:
        if self._namespace is None:
            return
        self._cut()
        self._end()
        self.controller.call(wires.send, [wires.unplug(self.port_index(place)) for place in range(len(self.ports))])
        self._namespace.close()
        self._namespace = None

    def _configure(self) -> None:
        """In the host: its addresses, its routes, and no memory of earlier connections."""
        messages = [wires.loopback_up()]
        for place, port in enumerate(self.ports):
            index = _HOST_INDEX + place
            messages.append(wires.without_link_local(index))
            # A router asks for its neighbours by its link-local address; ours needs no duplicate detection.
            link_local = f"fe80::{port.addresses[0].rpartition('.')[2]}"
            messages += [wires.address(index, address) for address in (link_local, *port.addresses)]
            messages.append(wires.up(index))
            messages += [wires.default_route(index, gateway) for gateway in port.gateway]
        wires.send(messages)
        write_sysctl("net.ipv4.tcp_no_metrics_save", 1)
        if self.name == "router":
            write_sysctl("net.ipv4.ip_forward", 1)
            write_sysctl("net.ipv6.conf.all.forwarding", 1)
        netlink = wiring.open_route()
        try:
            for place in range(len(self.ports)):
                wiring.await_running(netlink, _HOST_INDEX + place)
        finally:
            netlink.close()


class Guest(Machine):
    """A host with a kernel of its own: User-Mode Linux."""
