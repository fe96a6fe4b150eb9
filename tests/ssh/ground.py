"""The ground that test hosts stand on: a process of its own, in private namespaces, that keeps them.

``python -m tests.ssh.ground`` reads one question per line and answers each with a line: {"do": NAME, ...} gets
{"ok": ...} or {"error": SENTENCE}. When its input ends, or it is killed, every host and everything in it is gone.
"""

import contextlib
import json
import os
import socket
import sys
import threading
from typing import Any

import msgspec

from netns.enter import enter
from netns.errors import LabError
from netns.namespace import Namespace
from tests.ssh import wires
from tests.ssh.guest import Guest
from tests.ssh.looking import qdiscs, tables
from tests.ssh.machine import Machine
from tests.ssh.namespace_host import NamespaceHost
from tests.ssh.ping import ping
from tests.ssh.plan import CONTROLLER, Plan
from tests.ssh.switch import ADDRESS

_CONTROLLER_6 = "2001:db8::1"
_SWITCHES = {"control": 11, "data": 12, "far": 13}


class Ground:
    """One set of hosts and the controller's namespace, which has the switches in it."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.controller = Namespace("controller")
        self.controller.call(_lay_switches)
        kind = Guest if plan.kind == "guest" else NamespaceHost
        self.machines: dict[str, Machine] = {
            name: kind(plan, name, self.controller, _SWITCHES, 100 + 10 * place)
            for place, name in enumerate(plan.names)
        }
        self._lock = threading.Lock()
        self._listener = self.controller.call(_listen)
        threading.Thread(target=self._serve_switches, daemon=True).start()
        for machine in self.machines.values():
            machine.start()
        for machine in self.machines.values():
            machine.await_ready()

    def answer(self, question: dict[str, Any]) -> Any:
        """Do what is asked, one thing at a time."""
        do = question.pop("do")
        name = question.pop("name", "")
        with self._lock:
            if do == "describe":
                return {"pid": os.getpid(), "net": self.controller.fd, "hosts": self._hosts()}
            machine = self.machines[name]
            if do == "power_off":
                return machine.power_off()
            if do == "power_on":
                machine.start()
                machine.await_ready()
                return self._hosts()
            if do in ("cut", "heal"):
                return self._switch(machine, question["link"], wires.DISABLED if do == "cut" else wires.FORWARDING)
            inside = machine.namespace
            if do == "ping":
                return inside.call(ping, question["address"], question["within_s"])
            if do == "tables":
                return inside.call(tables)
            if do == "qdiscs":
                return inside.call(qdiscs)
        raise LabError(f"the ground does not know how to {do}")

    def close(self) -> None:
        self._listener.close()
        for machine in self.machines.values():
            machine.power_off()

    def _hosts(self) -> dict[str, int]:
        return {name: machine.pid for name, machine in self.machines.items() if machine.is_on}

    def _switch(self, machine: Machine, link: str, state: int) -> None:
        index = machine.port_index(self.plan.index(machine.name, link))
        self.controller.call(wires.switch, index, state)

    def _serve_switches(self) -> None:
        """Answer the power switches, one connection at a time."""
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, connection.makefile("rw") as lines:
                for line in lines:
                    lines.write(json.dumps(_answer(self, line)) + "\n")
                    lines.flush()


def _lay_switches() -> None:
    messages = [wires.loopback_up()]
    for name, index in _SWITCHES.items():
        messages += wires.bridge(name, index)
    for address in (CONTROLLER, _CONTROLLER_6):
        messages.append(wires.address(_SWITCHES["control"], address))
    wires.send(messages)


def _listen() -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(ADDRESS)
    listener.listen()
    return listener


def _answer(ground: Ground, line: str) -> dict[str, Any]:
    try:
        return {"ok": ground.answer(json.loads(line))}
    except (LabError, OSError, KeyError) as error:
        return {"error": f"{type(error).__name__}: {error}"}


def main() -> None:
    output = sys.stdout
    with contextlib.ExitStack() as undoing:
        try:
            enter()
            ground = Ground(msgspec.json.decode(sys.stdin.readline(), type=Plan))
            undoing.callback(ground.close)
            first: dict[str, Any] = {"ok": ground.answer({"do": "describe"})}
        except (LabError, OSError) as error:
            first = {"error": str(error)}
        print(json.dumps(first), file=output, flush=True)
        if "ok" in first:
            for line in sys.stdin:
                print(json.dumps(_answer(ground, line)), file=output, flush=True)


if __name__ == "__main__":
    main()
