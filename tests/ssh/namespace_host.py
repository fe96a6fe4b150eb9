"""A test host of this kernel: a set of namespaces with an sshd in it."""

import subprocess
from pathlib import Path

from netns import wiring
from netns.errors import LabError
from netns.namespace import Namespace, write_sysctl
from tests.ssh import wires
from tests.ssh.machine import Machine

_INIT = Path(__file__).with_name("host_init.sh")
_HOST_INDEX = 100


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
                    self.mac(place),
                ),
            )
        self._namespace.call(self._configure)
        folder = Path(self.plan.folder) / self.name
        with self.log.open("wb") as log:
            self._process = self._namespace.spawn(
                [
                    *("unshare", "--mount", "--uts", "--pid", "--fork", "--kill-child=SIGKILL", "--mount-proc"),
                    *("sh", str(_INIT), str(folder), str(int(self.plan.read_only))),
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
            messages += [wires.address(index, address) for address in (port.link_local, *port.addresses)]
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
