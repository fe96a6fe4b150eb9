"""Two ends of a TCP connection over loopback in one loop, and what they tell."""

import select
import socket
from pathlib import Path

import pytest

from harness.endpoints import options
from harness.endpoints.connection import Connection
from harness.endpoints.loop import Loop, now

WITHIN_NS = 5_000_000_000
MS = 1_000_000

CAP_NET_ADMIN = 12


def has_net_admin():
    """Whether this process may use TCP_REPAIR (capabilities(7))."""
    lines = Path("/proc/self/status").read_text().splitlines()
    effective = next(line.split()[1] for line in lines if line.startswith("CapEff"))
    return bool(int(effective, 16) >> CAP_NET_ADMIN & 1)


needs_net_admin = pytest.mark.skipif(
    not has_net_admin(), reason="NOT TESTED: to take a socket away without a word (TCP_REPAIR) needs CAP_NET_ADMIN"
)


def sockets(small=False):
    """Return the two ends of a new connection over 127.0.0.1; ``small``: with buffers that fill at once."""
    with socket.socket() as listener:
        if small:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        client = socket.socket()
        if small:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        client.connect(listener.getsockname())
        server, _ = listener.accept()
    for each in (client, server):
        each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client, server


class Rounds(Loop):
    """A loop that can be run until something holds."""

    def run_until(self, condition):
        self._condition, self._going = condition, True
        self.run()

    def _fire(self):
        super()._fire()
        if self._condition():
            self.stop()


class Pair:
    """``here`` and ``there`` are connected. ``told`` has every event as (end, event, fields)."""

    def __init__(self, small=False):
        self.loop = Rounds()
        self.told = []
        self.raw = sockets(small)
        self.here, self.there = (
            Connection(self.loop, sock, self._teller(name))
            for name, sock in zip(("here", "there"), self.raw, strict=True)
        )

    def _teller(self, end):
        return lambda event, **fields: self.told.append((end, event, fields))

    def of(self, end, event):
        return [fields for who, what, fields in self.told if (who, what) == (end, event)]

    def until(self, condition):
        """Run the loop until ``condition()``, which is looked at after every round of events: nothing is slept for."""
        if condition():
            return
        deadline = self.loop.at(now() + WITHIN_NS, lambda: pytest.fail("it never came"))
        self.loop.run_until(condition)
        deadline.cancel()

    def until_told(self, end, event, count=1):
        self.until(lambda: len(self.of(end, event)) >= count)
        return self.of(end, event)[-1]

    def timers(self):
        """Return how many timers of the loop are still due."""
        return sum(1 for _, _, timer in self.loop._heap if timer.call is not None)

    def close(self):
        for end in (self.here, self.there):
            if end.sock.fileno() >= 0:
                end.close("reset")
        self.loop.close()


def broken(sock):
    """Wait until the peer's RST has come, without taking its error from the socket."""
    poll = select.poll()
    poll.register(sock, 0)  # POLLERR and POLLHUP are always told: poll(2)
    return bool(poll.poll(WITHIN_NS // 1_000_000))


def established(sock):
    return options.tcp_info(sock)["state"] == 1
