"""What a set of test hosts is to be: its addresses, and the knobs that make it harder. Plain data, sent as JSON."""

from typing import Literal

import msgspec

CONTROLLER = "198.18.0.1"
# Control, by host. Every host's devices have the same order: control first, then the data path.
CONTROL = {"client": "198.18.0.2", "server": "198.18.0.3", "router": "198.18.0.4"}
# A port that is not 22 has known_hosts write the name differently.
PORTS = {"client": 22, "server": 2222, "router": 22}
_CONTROL_6 = {"client": "2001:db8::2", "server": "2001:db8::3", "router": "2001:db8::4"}
_DIRECT = {"client": ("198.18.1.2", "2001:db8:1::2"), "server": ("198.18.1.3", "2001:db8:1::3")}
_FAR_SERVER = ("198.18.2.3", "2001:db8:2::3")
_NEAR_ROUTER = ("198.18.1.1", "2001:db8:1::1")
_FAR_ROUTER = ("198.18.2.1", "2001:db8:2::1")

BECOME, REFUSE = "/run/host/bin/become", "/run/host/bin/refuse"


class Port(msgspec.Struct, frozen=True):
    """One device of a host: the switch it is plugged into, and its addresses (/24 and /64).

    ``gateway``: the router's addresses on it, for whatever is not on this network.
    """

    switch: str
    addresses: tuple[str, ...]
    gateway: tuple[str, ...] = ()

    @property
    def link_local(self) -> str:
        """Ours, not the kernel's: it needs no duplicate detection."""
        return f"fe80::{self.addresses[0].rpartition('.')[2]}"


class Plan(msgspec.Struct, frozen=True):
    """The hosts and their switches.

    ``prelude``: shell text that the login shell runs before each command. ``python``: False empties the PATH of it.
    ``read_only``: no file system of the hosts can be written. ``become``: what hosts.toml says.
    """

    folder: str
    kind: Literal["namespace", "guest"] = "namespace"
    router: bool = False
    one_device: bool = False
    user: str = "root"
    become: str | None = None
    prelude: str = ""
    python: bool = True
    read_only: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        return ("client", "server", "router") if self.router else ("client", "server")

    @property
    def devices(self) -> tuple[str, ...]:
        """What a host calls its devices, in the order of its ports."""
        return ("vec0", "vec1") if self.kind == "guest" else ("eth0", "eth1", "eth2")

    def ports(self, name: str) -> tuple[Port, ...]:
        control = Port("control", (CONTROL[name], _CONTROL_6[name]))
        if self.one_device:
            return (control,)
        if name == "router":
            return control, Port("data", _NEAR_ROUTER), Port("far", _FAR_ROUTER)
        if not self.router:
            return control, Port("data", _DIRECT[name])
        if name == "client":
            return control, Port("data", _DIRECT[name], _NEAR_ROUTER)
        return control, Port("far", _FAR_SERVER, _FAR_ROUTER)

    def data(self, name: str) -> dict[int, str]:
        """A host's data addresses by IP version."""
        ports = self.ports(name)
        four, six = ports[min(1, len(ports) - 1)].addresses
        return {4: four, 6: six}

    def index(self, name: str, link: str) -> int:
        """Which of a host's ports ``link`` is: control or data."""
        return 0 if link == "control" or self.one_device else 1
