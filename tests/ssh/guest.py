"""A test host with a kernel of its own: User-Mode Linux, whose root is the machine's own, read-only (hostfs).

Its devices are taps in the controller's namespace; they stay when the guest goes. A tap is never taken down: a guest
that sends meanwhile loses its device for good. Kernel parameters: linux.uml --help.
"""

import errno
import subprocess
import time
from pathlib import Path

from netns.errors import LabError
from tests.ssh import wires
from tests.ssh.machine import Machine

_INIT = Path(__file__).with_name("guest_init.sh")
_MEMORY = "96M"
_FREE_WITHIN_S = 5.0


class Guest(Machine):
    """A guest. Its PID file names the process whose death, however it comes, is a power failure."""

    _plugged = False

    def start(self) -> None:
        if self._process is not None and self._process.poll() is None:
            raise LabError(f"{self.name} runs already")
        for place in range(len(self.ports)):
            self._plug(place)
        self._plugged = True
        folder = Path(self.plan.folder)
        with self.log.open("wb") as log:
            # unshare: the guest is several processes, which would outlive the death of the first.
            self._process = self.controller.spawn(
                [*("unshare", "--pid", "--fork", "--kill-child=SIGKILL"), "linux.uml", *self._parameters()],
                env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "TMPDIR": "/dev/shm", "HOME": str(folder)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        (folder / f"{self.name}.pid").write_text(f"{self._process.pid}\n")

    def power_off(self) -> None:
        """The guest's kernel ends with it, so nothing is left that could send."""
        self._end()

    def port_index(self, place: int) -> int:
        return self.controller.call(wires.index_of, self._tap(place))

    def _tap(self, place: int) -> str:
        return f"{self.name}{place}"

    def _plug(self, place: int) -> None:
        """Make sure of a tap that nobody holds: the guest before may take a moment to be gone."""
        deadline = time.monotonic() + _FREE_WITHIN_S
        while True:
            try:
                index = self.controller.call(wires.tap, self._tap(place))
                break
            except OSError as error:
                if error.errno != errno.EBUSY or time.monotonic() > deadline:
                    raise LabError(f"{self.name} gets no device: {error.strerror}") from error
                time.sleep(0.005)
        if not self._plugged:
            plugged = wires.plug(index, self.switches[self.ports[place].switch])
            self.controller.call(wires.send, [*plugged, wires.in_frames(index)])

    def _parameters(self) -> list[str]:
        folder = Path(self.plan.folder)
        devices = [
            f"{device}:transport=tap,ifname={self._tap(place)},mac={self.mac(place)}"
            for place, (device, _) in enumerate(zip(self.plan.devices, self.ports, strict=False))
        ]
        return [
            *(f"mem={_MEMORY}", "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro", f"init={_INIT}", "quiet"),
            *("con=null", "con0=null,fd:1", "ssl=null", f"uml_dir={folder}/uml", f"umid={self.name}", *devices),
            # What the kernel does not know becomes init's environment.
            *(f"folder={folder}/{self.name}", f"read_only={int(self.plan.read_only)}", f"network={self._network()}"),
        ]

    def _network(self) -> str:
        """Lines for `ip -batch`, without spaces and new lines."""
        lines = ["link set lo up"]
        for device, port in zip(self.plan.devices, self.ports, strict=False):
            lines.append(f"link set {device} addrgenmode none")
            for address in (port.link_local, *port.addresses):
                six = ":" in address
                lines.append(f"addr add {address}/{64 if six else 24} dev {device}" + (" nodad" if six else ""))
            lines.append(f"link set {device} up")
            lines += [f"route add default via {gateway} dev {device}" for gateway in port.gateway]
        return "%".join(lines).replace(" ", "+")
