"""What is asked of a host itself, and not of its endpoints: its facts, its kernel, its packets, its sysctls; and the
promises to undo what is done to it.

Modules are imported where they are first needed: most agents need none of them.
"""

from __future__ import annotations

import base64
import contextlib
import select
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from harness.endpoints.lease import Lease
from harness.endpoints.loop import Loop, now

if TYPE_CHECKING:
    from harness.endpoints.guard import Guard
    from harness.endpoints.netlink import Netlink
    from harness.endpoints.tap import Tap

_RENEWALS = 4  # of the guard's time to live within a lease
_PATIENCE = 1.5  # the guard comes after the agent: it waits so many leases


class Hand:
    """``tell`` sends an event; ``stop(why)`` ends the agent, which then calls ``end``."""

    def __init__(self, loop: Loop, lease: Lease, tell: Callable[..., None], stop: Callable[[str], None]) -> None:
        self._loop, self._lease, self._tell, self._stop = loop, lease, tell, stop
        self._promises: dict[str, list[dict[str, Any]]] = {}
        self._netlinks: dict[int, Netlink] = {}
        self._guard: Guard | None = None
        self._renewed = 0
        self._tap: Tap | None = None

    # -- the kernel ------------------------------------------------------------------------------------------------

    def do_facts(self) -> dict[str, Any]:
        from harness.endpoints.facts import facts

        return facts()

    def do_netlink(
        self,
        protocol: int,
        data: str,
        wait: list[int] | None = None,
        dump: bool = False,
        tolerate: list[int] | None = None,
    ) -> dict[str, Any]:
        """Send encoded messages. A refusal is an answer: its ``errno`` and ``text``."""
        from harness.endpoints.netlink import Netlink

        if protocol not in self._netlinks:
            self._netlinks[protocol] = Netlink(protocol)
        said = self._netlinks[protocol].ask(base64.b64decode(data), wait, dump, tolerate)
        answers = [base64.b64encode(answer).decode() for answer in said.answers]
        return {"before": said.before, "after": said.after, "errno": said.errno, "text": said.text, "answers": answers}

    def do_sysctl(self, name: str, value: int | None = None, missing: int | None = None) -> dict[str, Any]:
        """Read a sysctl, after setting it where ``value`` is given; setting it promises its old value first."""
        from harness.endpoints import undo
        from harness.endpoints.facts import read_sysctl, sysctl_path

        try:
            text = read_sysctl(name)
        except FileNotFoundError:
            if missing is None:
                raise
            return {"value": missing, "text": str(missing)}
        if value is not None:
            if "sysctl:" + name not in self._promises:
                self.do_promise("sysctl:" + name, [{"write": {"path": sysctl_path(name), "text": text}}])
            undo.write(sysctl_path(name), str(value))
            text = read_sysctl(name)
        return {"value": int(text) if text.lstrip("-").isdigit() else None, "text": text}

    # -- promises --------------------------------------------------------------------------------------------------

    def do_promise(self, name: str, undo: list[dict[str, Any]]) -> dict[str, Any]:
        """Have the guard hold what undoes a fault, before the fault. One of the same name takes the older's place."""
        from harness.endpoints import guard
        from harness.endpoints.undo import check

        check(undo)
        if self._guard is None:
            self._guard = guard.Guard()
            self._loop.watch(self._guard.fileno(), select.EPOLLIN, self._guard_gone)
            self._guard.live(self._guards_ns())
        self._guard.hold(name, undo)
        self._promises.pop(name, None)
        self._promises[name] = undo
        return {"at": now(), "guard": self._guard.pid, "how": self._guard.how}

    def do_release(self, name: str) -> dict[str, Any]:
        """It has been undone: nobody need do it any more."""
        if self._promises.pop(name, None) is not None and self._guard is not None:
            with contextlib.suppress(OSError):  # it has ended, and been told of itself
                self._guard.forget(name)
        return {"at": now()}

    def do_undo(self, name: str) -> dict[str, Any]:
        """Undo it now; where that fails (``errno``) it stays promised."""
        from harness.endpoints.undo import perform

        said = perform(self._promises[name])
        if said["errno"] == 0:
            self.do_release(name)
        return said

    def _guards_ns(self) -> int:
        return round(self._lease.ns * _PATIENCE)

    def renew(self, anyway: bool = False) -> None:
        """The controller was heard; the guard is told from time to time."""
        if self._guard is not None and (anyway or now() - self._renewed > self._lease.ns // _RENEWALS):
            self._renewed = now()
            with contextlib.suppress(OSError):  # it has ended: the loop will say so
                self._guard.live(self._guards_ns())

    def _guard_gone(self, _event: int) -> None:
        """It undid what it held before it ended; what is undone here once more is no failure."""
        self._stop("the guard has ended")

    # -- packets ---------------------------------------------------------------------------------------------------

    def do_tap(self, devices: dict[str, str], ports: list[int] | None = None) -> dict[str, Any]:
        """Capture on ``devices``, a label and a device each, what concerns the watched ports; "frames" are told."""
        from harness.endpoints.tap import Tap

        tap = Tap(self._loop, devices, ports or [], lambda frames, lost: self._tell("frames", frames=frames, lost=lost))
        if self._tap is not None:
            self._tap.close()
        self._tap = tap
        return {"at": now()}

    def do_watch(self, port: int) -> dict[str, Any]:
        self._tapped().watch(port)
        return {"at": now()}

    def do_unwatch(self, port: int) -> dict[str, Any]:
        self._tapped().unwatch(port)
        return {"at": now()}

    def do_drain(self) -> dict[str, Any]:
        """Tell of everything that was captured up to now; the answer comes after it."""
        return {"lost": self._tapped().drain(), "at": now()}

    def _tapped(self) -> Tap:
        if self._tap is None:
            raise ValueError("no tap was opened")
        return self._tap

    # -- the end ---------------------------------------------------------------------------------------------------

    def end(self) -> None:
        """Undo everything, youngest first. What cannot be undone stays with the guard, which tries on."""
        for name in reversed(list(self._promises)):
            with contextlib.suppress(Exception):  # the others are to be undone all the same
                self.do_undo(name)
        if self._guard is not None:
            self._guard.end()

    def close(self) -> None:
        """In a child of the agent: hold nothing open."""
        for each in (*self._netlinks.values(), self._guard):
            if each is not None:
                each.close()
        if self._tap is not None:
            self._tap.release()
