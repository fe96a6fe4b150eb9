"""client - router - server on one machine. The router is the network namespace that the program entered, or, for
further labs at the same time, one like it.

Idle ends of dead connections (orphans) must not keep the namespaces alive: tcp_orphan_retries=1. What one connection
taught the kernel must not change the next: tcp_no_metrics_save=1. Neighbour entries are permanent, so that ARP and
neighbour discovery never add an answer of their own.
"""

import contextlib
import threading
from types import TracebackType
from typing import Self, TypeVar

from netns import nft, wiring
from netns.enter import current
from netns.errors import LabError
from netns.filter import Filter
from netns.namespace import Namespace, write_sysctl
from netns.nat import Nat
from netns.netlink import Netlink, NetlinkRefusal, Request
from netns.wiring import CLIENT, SERVER, Side

_HOST_SYSCTLS = {"net.ipv4.tcp_orphan_retries": 1, "net.ipv4.tcp_no_metrics_save": 1}
# A router must answer every packet that a fault has it refuse: no kind of ICMP error is on the list of those whose
# rate is limited (128, echo request, is no error and never limited; the list cannot be written empty).
UNLIMITED_ICMP = {"net.ipv4.icmp_ratemask": 0, "net.ipv6.icmp.ratemask": 128}
_ROUTER_SYSCTLS = {"net.ipv4.ip_forward": 1, "net.ipv6.conf.all.forwarding": 1, **UNLIMITED_ICMP}

N = TypeVar("N", bound=Namespace)

# Held by the lab whose router is the namespace that the program entered.
_entered = threading.Lock()


class Host(Namespace):
    """A host of the lab: a namespace with ``addresses`` (by IP version, 4 and 6) on ``device``."""

    def __init__(self, side: Side) -> None:
        super().__init__(side.name)
        self.side = side
        self.addresses = side.addresses
        self.device = wiring.HOST_DEVICE


class Lab:
    """Two hosts with a router between them, ready for use when constructed. Close it, or use it in a ``with``.

    The router is the namespace that the program entered; while another lab has that, it is one of its own.
    The program must have called ``enter``. Raises LabError.
    """

    def __init__(self) -> None:
        if current() is None:
            raise LabError("a lab needs namespaces of its own: the program has not entered any yet")
        self._at_home = _entered.acquire(blocking=False)
        self._closed = False
        self._filter: Filter | None = None
        self._namespaces: list[Namespace] = []
        try:
            self.router = self._keep(Namespace("router", new=not self._at_home))
            self.client = self._keep(Host(CLIENT))
            self.server = self._keep(Host(SERVER))
            self._wire()
        except BaseException:
            self.close()
            raise

    @property
    def hosts(self) -> dict[str, Host]:
        """The two hosts by name: client, server."""
        return {"client": self.client, "server": self.server}

    @property
    def filter(self) -> Filter:
        """The packet faults of this lab's router."""
        if self._closed:
            raise LabError("the lab is closed")
        if self._filter is None:
            kernel = self.router.call(nft.open_nft)
            self._filter = Filter(kernel, nat=Nat(kernel, self.router.set_sysctl))
        return self._filter

    def close(self) -> None:
        """Take everything down. Processes still in the hosts lose their network first. Idempotent."""
        if self._closed:
            return
        self._closed = True
        # Last in, first out; each is done whatever becomes of the others.
        with contextlib.ExitStack() as undoing:
            if self._at_home:
                undoing.callback(_entered.release)
            for namespace in self._namespaces:
                undoing.callback(namespace.close)
            if self._namespaces:
                undoing.callback(_remove_links, self._namespaces[0])
            if self._filter:
                undoing.callback(self._filter.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _keep(self, namespace: N) -> N:
        self._namespaces.append(namespace)
        return namespace

    def _wire(self) -> None:
        fds = {host.name: host.fd for host in (self.client, self.server)}
        try:
            self.router.call(_configure, wiring.make_links(fds), _ROUTER_SYSCTLS, ())
            for host in (self.client, self.server):
                host.call(_configure, wiring.wire_host(host.side), _HOST_SYSCTLS, ())
            running = (CLIENT.index, SERVER.index)
            self.router.call(_configure, wiring.wire_router(), {}, running)
            for host in (self.client, self.server):
                host.call(_configure, None, {}, (wiring.HOST_INDEX,))
        except NetlinkRefusal as refusal:
            raise LabError(f"the lab's links cannot be made ({refusal}); they need veth (CONFIG_VETH)") from refusal


def _configure(request: Request | None, sysctls: dict[str, int], running: tuple[int, ...]) -> None:
    """In the namespace: send the messages, set the sysctls, wait until the links run."""
    netlink = wiring.open_route()
    try:
        if request:
            netlink.send(request)
        for name, value in sysctls.items():
            write_sysctl(name, value)
        for index in running:
            wiring.await_running(netlink, index)
    finally:
        netlink.close()


def _remove_links(router: Namespace) -> None:
    """Remove both links; return when they are gone, not when the kernel has freed their memory.

    Its freeing waits for RCU (net/core/dev.c, netdev_run_todo: 20 to 40 ms), and nothing that follows depends on it.
    """
    removing, looking = router.call(wiring.open_route), router.call(wiring.open_route)
    try:
        router.start(_remove, removing)
        wiring.await_gone(looking, [side.index for side in wiring.SIDES])
    finally:
        looking.close()


def _remove(netlink: Netlink) -> None:
    try:
        netlink.send(wiring.remove_links(), tolerate=wiring.NO_SUCH_GROUP)
    finally:
        netlink.close()
