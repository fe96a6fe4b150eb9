"""The program's hand on a host: starts endpoint processes, passes messages to them, stops, continues and kills them.

Speaks JSON lines on standard input and output. When its input ends, or its lease runs out, it undoes what was done to
the host (hand.py), kills what it started and ends.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import sys
from typing import Any

from harness.endpoints import wire
from harness.endpoints.endpoint import Endpoint
from harness.endpoints.hand import Hand
from harness.endpoints.lease import Expired, Lease
from harness.endpoints.loop import Loop, now
from harness.endpoints.signs import sign_of

_prctl: Any = None
with contextlib.suppress(ImportError, OSError, AttributeError):  # a Python without ctypes
    from ctypes import CDLL

    _prctl = CDLL(None).prctl
_PR_SET_PDEATHSIG = 1


class Child:
    def __init__(self, pid: int, control: socket.socket) -> None:
        self.pid, self.control, self.lines = pid, control, wire.Lines()


class Agent:
    def __init__(self, source: int, sink: int) -> None:
        self.loop = Loop()
        self._source, self._sink = source, sink
        self._lines = wire.Lines()
        self._children: dict[str, Child] = {}
        self._lease = Lease(self.loop, lambda: self._end("nothing was heard for as long as the lease says"))
        self._hand = Hand(self.loop, self._lease, self._tell, self._end)
        self.loop.watch(source, select.EPOLLIN, self._on_input)

    def run(self) -> None:
        self._send({"from": "agent", "event": "ready", "pid": os.getpid(), "python": sys.version.split()[0]})
        try:
            self.loop.run()
        except Expired:
            pass
        finally:  # also where nobody reads any more what is told
            try:
                self._hand.end()
            finally:
                for child in self._children.values():
                    os.kill(child.pid, signal.SIGKILL)
                    os.waitpid(child.pid, 0)

    def _send(self, message: dict[str, Any]) -> None:
        self._lease.write(self._sink, wire.pack(message))

    def _tell(self, event: str, **fields: Any) -> None:
        self._send({"from": "agent", "event": event, **fields})

    def _end(self, why: str) -> None:
        self.loop.stop()
        print("halfopen:", why, file=sys.stderr)

    def _on_input(self, _event: int) -> None:
        data = wire.read(self._source)
        if not data:
            self.loop.stop()
            return
        self._lease.renew()
        self._hand.renew()
        for line in self._lines.feed(data):
            message = wire.unpack(line)
            name = message.pop("to", "agent")
            if name != "agent":
                self._pass_on(name, message)
                continue
            question, do = message.pop("id"), message.pop("do")
            if do in ("kill", "stop") and message["name"] not in self._children:
                self._send_gone("agent", question)
                continue
            self._send({"from": "agent", "id": question, **self._answer(do, message)})

    def _answer(self, do: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """What was asked for ("ok"), or why not ("error"); ``what``: what the kernel refused."""
        call = getattr(self, "do_" + do, None) or getattr(self._hand, "do_" + do, None)
        try:
            if call is None:
                raise ValueError(f"no question {do!r}")
            return {"ok": call(**arguments)}
        except OSError as error:
            what = do if error.filename is None else f"{do} {error.filename}"
            return {"error": sign_of(error), "what": what, "text": error.strerror or str(error)}
        except (LookupError, TypeError, ValueError) as error:
            return {"error": "not understood", "what": None, "text": f"{do}: {error}"}

    def _pass_on(self, name: str, message: dict[str, Any]) -> None:
        child = self._children.get(name)
        if child is None:
            self._send_gone(name, message["id"])
            return
        try:
            wire.write_all(child.control.fileno(), wire.pack(message))
        except BrokenPipeError:  # it has just died; its "gone" follows
            self._send_gone(name, message["id"])

    def _send_gone(self, name: str, question: int) -> None:
        self._send({"from": name, "id": question, "error": "gone", "text": "no such endpoint"})

    # -- endpoint processes ----------------------------------------------------------------------------------------

    def do_fork(self, name: str) -> dict[str, Any]:
        """Start an endpoint process. Its own "ready" follows."""
        mine, its = socket.socketpair()
        here = os.getpid()
        pid = os.fork()
        if pid == 0:
            self._become_endpoint(name, its, mine, here)
        its.close()
        self._children[name] = Child(pid, mine)
        self.loop.watch(mine.fileno(), select.EPOLLIN, lambda _event: self._on_child(name))
        return {"pid": pid}

    def _become_endpoint(self, name: str, control: socket.socket, other: socket.socket, agent: int) -> None:
        status = 1
        try:
            _die_with(agent)
            other.close()
            self._hand.close()
            self.loop.close()
            for child in self._children.values():
                child.control.close()
            os.close(self._source)
            os.close(self._sink)
            Endpoint(name, control).run()
            status = 0
        finally:
            os._exit(status)

    def _on_child(self, name: str) -> None:
        child = self._children[name]
        try:
            data = child.control.recv(65536)
        except ConnectionResetError:
            data = b""  # it was killed with a question still unread
        if not data:
            self._reap(name)
            return
        for line in child.lines.feed(data):
            self._lease.write(self._sink, line + b"\n")

    def _reap(self, name: str) -> dict[str, Any]:
        child = self._children.pop(name)
        _, status = os.waitpid(child.pid, 0)
        self.loop.forget(child.control.fileno())
        child.control.close()
        end = {"signal": os.WTERMSIG(status)} if os.WIFSIGNALED(status) else {"status": os.WEXITSTATUS(status)}
        self._send({"from": name, "event": "gone", **end})
        return end

    def do_kill(self, name: str) -> dict[str, Any]:
        """kill -9, and wait until the process is gone: then the kernel has closed its sockets."""
        before = now()
        os.kill(self._children[name].pid, signal.SIGKILL)
        after = now()
        return {"before": before, "after": after, **self._reap(name)}

    def do_stop(self, name: str) -> dict[str, Any]:
        """SIGSTOP, and wait until the process has stopped."""
        before = now()
        pid = self._children[name].pid
        os.kill(pid, signal.SIGSTOP)
        found = os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOWAIT)
        return {"before": before, "after": now(), "stopped": found is not None and found.si_status == signal.SIGSTOP}

    def do_continue(self, name: str) -> dict[str, Any]:
        """SIGCONT; one that is gone stays gone."""
        before = now()
        child = self._children.get(name)
        if child is not None:
            os.kill(child.pid, signal.SIGCONT)
        return {"before": before, "after": now()}

    def do_now(self) -> dict[str, Any]:
        return {"at": now()}

    def do_lease(self, seconds: float) -> dict[str, Any]:
        """Undo everything and end where nothing is heard for so long; 0: never."""
        self._lease.set(round(seconds * 1e9))
        self._hand.renew(anyway=True)
        return {"at": now()}


def _die_with(agent: int) -> None:
    """Have the kernel kill this process, also one that is stopped, when its agent has died (prctl(2))."""
    if _prctl is not None:
        _prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != agent:
            os._exit(1)


def main() -> None:
    """Ctrl-C in a terminal reaches the whole group; only the controller decides what it means."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    with contextlib.suppress(BrokenPipeError):  # the controller is gone; so is the reason to go on
        Agent(0, 1).run()
