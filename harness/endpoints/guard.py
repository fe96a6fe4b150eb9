"""The guard: a process that outlives its agent, to undo what the agent can no longer undo.

It holds the promised undoings, and does them when the agent's end of the link is closed (the agent has died) or its
time to live has run out (the agent is stuck, or the controller is not heard any more). Then, or when the agent ends
with nothing promised, it ends. It has a session of its own and nothing of the agent's but the link: an SSH server must
see the channel close. Where systemd runs it becomes a scope of its own, because a logout may kill all processes of
the login's session (logind.conf(5), KillUserProcesses). Nothing is written to a disk.

Over the link go JSON lines. To the guard: {"hold": name, "undo": actions}, {"forget": name}, {"live": ns}; from it:
{"ready": pid}, {"held": name}. Instants are CLOCK_MONOTONIC nanoseconds.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import sys
import time
from typing import Any

from harness import endpoints
from harness.endpoints import wire
from harness.endpoints.loop import now
from harness.endpoints.undo import perform

_WITHIN_S = 3.0
_TRIES, _BETWEEN_S = 6, 0.5  # of undoings that fail
_USUAL_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


# -- the guard's own process ---------------------------------------------------------------------------------------


def main() -> None:
    """A program of its own: the link is its standard input."""
    run(socket.socket(fileno=0))


def run(link: socket.socket) -> None:
    """Hold what is promised until the agent has gone; then undo it."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # The host goes down, or somebody ends what we are part of: as if the agent had gone.
    signal.signal(signal.SIGTERM, lambda _number, _frame: _hang_up(link))
    held: dict[str, Any] = {}
    with contextlib.suppress(Exception):  # whatever it was: the time has come
        _listen(link, held)
    for _ in range(_TRIES):
        for name in reversed(list(held)):
            with contextlib.suppress(Exception):  # the others are to be undone all the same
                if perform(held[name])["errno"] == 0:
                    del held[name]
        if not held:
            break
        time.sleep(_BETWEEN_S)
    link.close()  # now an agent that is still there knows


def _hang_up(link: socket.socket) -> None:
    with contextlib.suppress(OSError):  # it is gone already
        link.shutdown(socket.SHUT_RD)


def _listen(link: socket.socket, held: dict[str, Any]) -> None:
    lines = wire.Lines()
    live = 0
    asking = select.poll()
    asking.register(link, select.POLLIN)
    wire.write_all(link.fileno(), wire.pack({"ready": os.getpid()}))
    while asking.poll(max(0, live - now()) // 1_000_000 + 1 if live else None):
        data = link.recv(65536)
        if not data:
            return
        for line in lines.feed(data):
            message = wire.unpack(line)
            if "hold" in message:
                held.pop(message["hold"], None)
                held[message["hold"]] = message["undo"]
                wire.write_all(link.fileno(), wire.pack({"held": message["hold"]}))
            elif "forget" in message:
                held.pop(message["forget"], None)
            else:
                live = now() + message["live"] if message["live"] else 0


# -- the agent's side ----------------------------------------------------------------------------------------------


class Guard:
    """Starts a guard, which is ready when this returns. Raises OSError where there can be none.

    ``pid``: the guard's; ``how``: by what it was detached, "systemd" or "fork".
    """

    def __init__(self) -> None:
        self.how = "fork"
        self._lines = wire.Lines()
        line = getattr(endpoints, "line", None)
        if line is not None and os.geteuid() == 0 and systemd_runs():
            command = [
                *scope("halfopen-undo-" + os.urandom(6).hex()),
                sys.executable,
                "-I",
                "-S",
                "-u",
                "-c",
                line.stub,
            ]
            program = json.dumps(["guard", line.texts, line.stub]).encode() + b"\n"
            self._link = _detached(command)
            with contextlib.suppress(OSError, KeyError):
                self._link.sendall(program)
                self.pid: int = self._heard("ready")
                self.how = "systemd"
                return
            self._link.close()  # one that comes up late finds it closed, and ends
            self._lines = wire.Lines()
        self._link = _detached(None)
        try:
            self.pid = self._heard("ready")
        except BaseException:
            self._link.close()
            raise

    def hold(self, name: str, actions: list[dict[str, Any]]) -> None:
        """Promise: when this returns the guard has it. Raises OSError: it has not."""
        self._link.settimeout(_WITHIN_S)
        self._link.sendall(wire.pack({"hold": name, "undo": actions}))
        while self._heard("held") != name:
            pass

    def forget(self, name: str) -> None:
        self._link.settimeout(_WITHIN_S)
        self._link.sendall(wire.pack({"forget": name}))

    def live(self, ns: int) -> None:
        """Be without a further word for so long from now on; 0: for ever."""
        self._link.settimeout(_WITHIN_S)
        self._link.sendall(wire.pack({"live": ns}))

    def fileno(self) -> int:
        """Readable: the guard has ended."""
        return self._link.fileno()

    def end(self) -> None:
        """Let it go, which undoes what it still holds, and wait until it has ended."""
        with contextlib.suppress(OSError):
            self._link.shutdown(socket.SHUT_WR)
            self._link.settimeout(_WITHIN_S)
            while self._link.recv(4096):
                pass
        self._link.close()

    def close(self) -> None:
        """In a child of the agent: only the agent's own end counts."""
        self._link.close()

    def _heard(self, word: str) -> Any:
        self._link.settimeout(_WITHIN_S)
        while True:
            data = self._link.recv(65536)
            if not data:
                raise BrokenPipeError(32, "the guard has ended")
            for line in self._lines.feed(data):
                return wire.unpack(line)[word]


def systemd_runs() -> bool:
    """Whether this host was booted with systemd (sd_booted(3)) and has systemd-run."""
    places = os.environ.get("PATH", _USUAL_PATH).split(":")
    return os.path.isdir("/run/systemd/system") and any(  # noqa: PTH112 - pathlib costs an agent 10 ms
        os.access(place + "/systemd-run", os.X_OK) for place in places
    )


def scope(unit: str) -> list[str]:
    """The command that runs a command as a scope of the system's manager: with the caller's own namespaces and
    descriptors, but outside of its session (systemd-run(1))."""
    return ["systemd-run", "--system", "--scope", "--collect", "--quiet", "--no-ask-password", "--unit=" + unit, "--"]


def _detached(command: list[str] | None) -> socket.socket:
    """Start ``command`` with the link as its input, or, without one, this program's own ``run``; return our end.

    By two forks: it is nobody's child that could wait for it, and leads no session that could have a terminal.
    """
    mine, its = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        try:
            os.setsid()
            if os.fork() == 0:
                _let_go(its.fileno())
                if command is None:
                    run(socket.socket(fileno=0))
                else:
                    os.execvp(command[0], command)
        finally:
            os._exit(0)
    its.close()
    os.waitpid(pid, 0)
    return mine


def _let_go(link: int) -> None:
    """Keep nothing of the caller's but the link, which becomes standard input."""
    os.chdir("/")
    os.dup2(link, 0)
    for fd in [int(name) for name in os.listdir("/proc/self/fd")]:  # noqa: PTH208
        if fd > 0:
            with contextlib.suppress(OSError):  # the one that the list was read from
                os.close(fd)
    with contextlib.suppress(OSError):
        for _ in range(2):
            os.set_inheritable(os.open("/dev/null", os.O_RDWR), True)
