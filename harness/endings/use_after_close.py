"""Every call on a socket that this very program has closed or shut down: which error, and whether it says the truth.

close(2), shutdown(2), recv(2), send(2), poll(2), getpeername(2); net/ipv4/tcp.c (tcp_recvmsg_locked, tcp_poll).
The expectations below are the whole table.
"""

from typing import TYPE_CHECKING, ClassVar

from harness.endings.base import Script, check
from harness.endings.record import Check
from harness.spec.options import Option
from harness.spec.parse import choice
from harness.spec.sides import Side

if TYPE_CHECKING:
    from harness.endings.seen import Seen
    from harness.endings.stage import EndingStage

# In this order, on one socket: what a call finds is what those before it left.
_CALLS: tuple[tuple[str, dict[str, object]], ...] = (
    ("poll", {}),
    ("recv", {"count": 1}),
    ("recv", {"count": 0}),
    ("peek", {}),
    ("send", {"count": 1}),
    ("so_error", {}),
    ("setsockopt", {}),
    ("getpeername", {}),
    ("getsockname", {}),
    ("shutdown", {"how": "read"}),
    ("shutdown", {"how": "write"}),
    ("shutdown", {"how": "both"}),
)
_NAMES = [call + (f"({next(iter(asked.values()))})" if asked else "()") for call, asked in _CALLS]
_DONE = "None"  # a call that returns nothing but success
_WANTED: dict[str, tuple[list[str], str]] = {
    "close": (
        ["NVAL", *["EBADF"] * (len(_CALLS) - 1)],
        "close(2): the number is no descriptor any more; poll(2): POLLNVAL",
    ),
    "shutdown-write": (
        ["OUT", "EAGAIN", "EAGAIN", "EAGAIN", "EPIPE", "0", _DONE, _DONE, _DONE, _DONE, _DONE, _DONE],
        "shutdown(2): only sending has ended; send(2): EPIPE; tcp_poll: a write would not block, it fails at once",
    ),
    "shutdown-read": (
        ["IN+OUT+RDHUP", "EOF", "0", "0", "1", "0", _DONE, _DONE, _DONE, _DONE, _DONE, _DONE],
        "shutdown(2): reads say EOF at once, sending goes on; the peer knows nothing",
    ),
    "shutdown-both": (
        ["IN+OUT+RDHUP+HUP", "EOF", "0", "0", "EPIPE", "0", _DONE, _DONE, _DONE, _DONE, _DONE, _DONE],
        "shutdown(2): both directions; the socket and its number stay until close()",
    ),
}


class UseAfterClose(Script):
    name = "use-after-close"
    help = "Every call on a socket that this end itself has closed or shut down, and the error that each gives."
    closer: ClassVar[Side] = "client"
    mortal: ClassVar[Side] = "client"
    options = (
        Option(
            "how",
            "what this end did: close, shutdown-write, shutdown-read, shutdown-both",
            choice("--how", *_WANTED),
            default="close",
        ),
    )

    async def play(self, stage: "EndingStage") -> None:
        client, how = stage.closer, self.values["how"]
        await stage.now()
        if how == "close":
            await stage.close(client)
        else:
            await stage.act(client, "shutdown", how=how.removeprefix("shutdown-"))
        if how != "shutdown-read":
            await stage.state(client, "FIN_WAIT2")
        for call, asked in _CALLS:
            await stage.act(client, call, **asked)
        if how == "close":
            await stage.act(client, "close_again")
            await stage.act(client, "reused")
        else:
            await stage.close(client)
        await stage.close(stage.other)
        await stage.passed(stage.other, "fin", "rst")

    def effect(self, seen: "Seen") -> tuple[str, float | None]:
        if self.values["how"] != "shutdown-read":
            return super().effect(seen)
        shut = seen.did(seen.closer, "shutdown")
        return "shutdown() returned; nothing is sent", shut[0].at_s + shut[0].took_s if shut else None

    def checks(self, seen: "Seen") -> list[Check]:
        how = self.values["how"]
        wanted, reason = _WANTED[how]
        said = self._said(seen)
        found = [check(name, want, got, reason) for name, want, got in zip(_NAMES, wanted, said, strict=True)]
        if how == "close":
            found.append(check("close() again", ["EBADF"], seen.said("client", "close_again"), "close(2), EBADF"))
            found.append(
                check(
                    "the next file gets the socket's number",
                    ["True"],
                    seen.said("client", "reused"),
                    "open(2): the lowest free number",
                )
            )
        return found

    def _said(self, seen: "Seen") -> list[str]:
        """What the calls of the table said: those after the ending itself, in order."""
        calls = {call for call, _ in _CALLS}
        acts = [act for act in seen.acts if act.side == "client" and act.at_s >= 0 and act.call in calls]
        if self.values["how"] != "close":
            acts = acts[1:]  # the first is the shutdown that the ending is about
        return [act.error or str(act.result) for act in acts[: len(_CALLS)]]

    def why(self, seen: "Seen") -> str:
        if self.values["how"] == "close":
            return (
                "A closed number is EBADF for every call; but the next open() gets the same number, and then a stale"
                " use of it succeeds on somebody else's file."
            )
        if self.values["how"] == "shutdown-read":
            return "Reads say EOF here while the peer knows nothing: the connection is ESTABLISHED at both ends."
        return "The socket lives until close(): what was shut down gives EPIPE or EOF, the rest still works."
