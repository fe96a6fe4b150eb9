"""The server has closed, or shut down one direction; the client goes on writing. Which write fails, how, what is lost.

The write that meets the closed socket succeeds, because its own kernel takes it; the RST comes after. Which error the
next call tells depends on whether a FIN had come before the RST (net/ipv4/tcp_input.c, tcp_reset).
"""

from typing import TYPE_CHECKING, ClassVar

from harness.endings.base import (
    DONE_FIRST,
    ERROR_ONCE,
    NO_SOCKET,
    RFC_DIAGRAM,
    RST_IN_CLOSE_WAIT,
    Script,
    check,
)
from harness.endings.record import CLOSED, Check
from harness.spec.options import Option
from harness.spec.parse import choice, duration, whole
from harness.spec.sides import Side

if TYPE_CHECKING:
    from harness.endings.seen import Seen
    from harness.endings.stage import EndingStage

_SHUT_RD = (
    "shutdown(2) tells the peer nothing; Linux goes on receiving, and what came can be read (tcp(7) has no word on it)"
)


class WriteAfterClose(Script):
    name = "write-after-close"
    help = "Writing to an end that has closed: the first write succeeds, the RST comes, the next fails; what is lost."
    closer: ClassVar[Side] = "server"
    mortal: ClassVar[Side] = "server"
    options = (
        Option(
            "how",
            "what the server does: close; shutdown-write or shutdown-read, and goes on; reset (SO_LINGER 0 and close)",
            choice("--how", "close", "shutdown-write", "shutdown-read", "reset"),
            default="close",
        ),
        Option("count", "bytes in each write, 1 to 8192", whole("--count", 1, 8192), default=1024),
        Option("writes", "how many writes, 2 to 5", whole("--writes", 2, 5), default=3),
        Option("gap", "time between two writes, 0 to 60s", duration("--gap", 0.0, 60.0), default=0.2),
    )

    async def play(self, stage: "EndingStage") -> None:
        server, client, how = stage.closer, stage.other, self.values["how"]
        if how == "reset":
            await stage.act(server, "linger", seconds=0)
        await stage.now()
        if how == "close":
            await stage.close(server)
            await stage.state(client, "CLOSE_WAIT")
        elif how == "reset":
            await stage.close(server)
            await stage.state(client, CLOSED)
        else:
            await stage.act(server, "shutdown", how=how.removeprefix("shutdown-"))
        for number in range(self.values["writes"]):
            if number and self.values["gap"]:
                await stage.sleep(self.values["gap"])
            await stage.act(client, "send", count=self.values["count"])
        await stage.read_all(client, most=3)
        if how.startswith("shutdown"):
            await self._read(stage)
            await stage.close(client)
            await stage.passed(client, "fin", "rst")
            await stage.close(server)

    async def _read(self, stage: "EndingStage") -> None:
        """Have the server read what came; a read takes up to 64 KiB, so a few take all."""
        wanted = self.values["count"] * self.values["writes"]
        await stage.sees(lambda: stage.last(stage.closer).rqueue >= wanted)
        await stage.read_all(stage.closer, most=self.values["writes"] + 2)

    def effect(self, seen: "Seen") -> tuple[str, float | None]:
        if self.values["how"] != "shutdown-read":
            return super().effect(seen)
        shut = seen.did(seen.closer, "shutdown")
        return "shutdown() returned; nothing is sent", shut[0].at_s + shut[0].took_s if shut else None

    def checks(self, seen: "Seen") -> list[Check]:
        how, count, writes = self.values["how"], self.values["count"], self.values["writes"]
        sends, reads, lost = seen.said("client", "send"), seen.said("client", "recv"), seen.bytes("client").lost
        if how == "reset":
            return [
                check("the server's goodbye", "RST", seen.goodbye("server"), "socket(7), SO_LINGER with time 0"),
                check(
                    "the client's writes",
                    ["ECONNRESET"] + ["EPIPE"] * (writes - 1),
                    sends,
                    f"{RST_IN_CLOSE_WAIT}; {ERROR_ONCE}",
                ),
                check("the client's reads", ["EOF"], reads, ERROR_ONCE),
                check("bytes lost", 0, lost, "no write was accepted"),
            ]
        if how == "close":
            taken = sum(said.isdigit() for said in sends)
            allowed = {1} if self.values["gap"] else set(range(1, writes + 1))
            return [
                check("the server's goodbye", "FIN then RST", seen.goodbye("server"), NO_SOCKET),
                check(
                    "writes that succeeded",
                    allowed,
                    taken,
                    "send(2): success is the local kernel's; the RST comes one round trip later",
                ),
                check("the writes after them", ["EPIPE"] * (writes - taken), sends[taken:], RST_IN_CLOSE_WAIT),
                check("the client's reads", ["EOF"], reads, DONE_FIRST),
                check("bytes lost of those accepted", sum(int(said) for said in sends[:taken]), lost, NO_SOCKET),
                check("the server's socket afterwards", CLOSED, seen.last("server").state, RFC_DIAGRAM),
                check("the client's socket afterwards", CLOSED, seen.last("client").state, RFC_DIAGRAM),
            ]
        return [
            check("the client's writes", [str(count)] * writes, sends, "RFC 9293 3.6: the other direction stays open"),
            check("bytes lost", 0, lost, _SHUT_RD if how == "shutdown-read" else "RFC 9293 3.6: half-closed"),
            check("RSTs from the server", 0, len(seen.sent("server", "rst")), "the socket is still there"),
            *self._direction(seen, reads),
        ]

    def _direction(self, seen: "Seen", reads: list[str]) -> list[Check]:
        if self.values["how"] == "shutdown-write":
            return [
                check("the client's reads", ["EOF"], reads, RFC_DIAGRAM),
                check("the client meanwhile", True, "CLOSE_WAIT" in seen.states("client"), RFC_DIAGRAM),
                check("the server meanwhile", True, "FIN_WAIT2" in seen.states("server"), RFC_DIAGRAM),
            ]
        before = [
            k.state
            for k in seen.looks
            if k.side == "client" and 0 <= k.at_s < seen.did("client", "close")[0].at_s - 0.005
        ]
        return [
            check("the client's reads", ["EAGAIN"], reads, _SHUT_RD),
            check("the client's socket until it closed", ["ESTABLISHED"], sorted(set(before)), _SHUT_RD),
        ]

    def why(self, seen: "Seen") -> str:
        how, sends, lost = self.values["how"], seen.said("client", "send"), seen.bytes("client").lost
        if how == "close":
            failed = next((said for said in sends if not said.isdigit()), "nothing")
            taken = sum(said.isdigit() for said in sends)
            which = "The first write" if taken == 1 else f"The first {taken} writes"
            return (
                f"{which} succeeded and {lost} bytes were lost: the RST came after. The next said {failed}, because"
                " a FIN had come before the RST; a read says EOF."
            )
        if how == "reset":
            return "An RST with no FIN before it is ECONNRESET, once; then writes say EPIPE and reads EOF."
        if how == "shutdown-write":
            return "Half-closed: every write succeeded and was read; the client's reads say EOF all the while."
        return "shutdown(SHUT_RD) sends nothing: the client's writes succeed, and Linux even lets the server read them."
