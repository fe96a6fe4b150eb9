"""What the lab costs: python tests/bench/bench_lab.py [rounds]. Times are milliseconds: median, worst.

Building and closing are also given as a multiple of three bare unshare(CLONE_NEWNET), which takes out most of how
fast this machine is and how busy.
"""

import resource
import socket
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from netns import syscalls
from netns.enter import enter
from netns.filter import Flow
from netns.lab import Lab

_PORT = 7000
_CONNECTIONS = 1000


def timed(action: Callable[[], Any]) -> tuple[float, Any]:
    """Milliseconds that ``action`` took, and what it returned."""
    before = time.perf_counter_ns()
    result = action()
    return (time.perf_counter_ns() - before) / 1e6, result


def show(name: str, times: Iterable[float], unit: float | None = None) -> float:
    times = list(times)
    median = statistics.median(times)
    ratio = f"  {median / unit:6.2f} x bare" if unit else ""
    print(f"{name:34} {median:8.3f} {max(times):8.3f}{ratio}")
    return median


def three_namespaces() -> None:
    for _ in range(3):
        # In a thread of its own, so that the namespace ends with it and the program stays where it is.
        thread = threading.Thread(target=syscalls.unshare, args=(syscalls.CLONE_NEWNET,))
        thread.start()
        thread.join()


def faults(lab: Lab, rounds: int) -> None:
    calls, injections, heals, whole = [], [], [], []
    for port in range(20_000, 20_000 + 10 * rounds):
        flow = Flow(4, port, _PORT)
        calls.append(timed(lambda: lab.client.call(int))[0])
        took, done = timed(lambda flow=flow: lab.filter.cut(flow))
        whole.append(took)
        injections.append((done.after_ns - done.before_ns) / 1e6)
        healed = done.undo()
        heals.append((healed.after_ns - healed.before_ns) / 1e6)
    show("Namespace.call", calls)
    show("cut: its uncertainty", injections)
    show("cut: the whole call", whole)
    show("undo: its uncertainty", heals)


def socket_lists(lab: Lab, rounds: int) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (8192, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    address = (lab.server.addresses[4], _PORT)
    held = []
    with lab.server.call(socket.create_server, address) as listener:
        for _ in range(_CONNECTIONS):
            held += [lab.client.call(socket.create_connection, address), listener.accept()[0]]
        show(f"sockets() of {_CONNECTIONS}", (timed(lab.client.sockets)[0] for _ in range(rounds)))
        show(
            "sockets({one port})",
            (timed(lambda: lab.client.sockets({held[0].getsockname()[1]}))[0] for _ in range(rounds)),
        )
    for holding in held:
        holding.close()


def main(rounds: int) -> None:
    entering, _ = timed(enter)
    print(f"{'':34} {'median':>8} {'worst':>8}   ({rounds} rounds)")
    show("enter", [entering])
    bare, builds, closes = [], [], []
    # In turn, so that a busy moment of the machine falls on all alike.
    for _ in range(rounds):
        bare.append(timed(three_namespaces)[0])
        took, lab = timed(Lab)
        builds.append(took)
        closes.append(timed(lab.close)[0])
    unit = show("three bare namespaces", bare)
    show("Lab()", builds, unit)
    show("Lab.close()", closes, unit)
    with Lab() as lab:
        show("the filter, on first use", [timed(lambda: lab.filter)[0]])
        faults(lab, rounds)
        socket_lists(lab, rounds)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 30)
