"""The client only writes and the server only reads; after idling the server closes, and the client writes on.

How many bytes the client's kernel accepted that no program ever read, with the server's close(), with a check before
each write, and with a server that half-closes: reading on to the end, or, as CloseWrite() in place of Close() does,
never reading again.
"""

from typing import TYPE_CHECKING, ClassVar

from harness.endings.base import NO_SOCKET, RFC_DIAGRAM, RST_IN_CLOSE_WAIT, Script, check
from harness.endings.record import Check
from harness.spec.options import Option
from harness.spec.parse import choice, duration, whole
from harness.spec.sides import Side
from harness.units import format_duration

if TYPE_CHECKING:
    from harness.endings.seen import Seen
    from harness.endings.stage import EndingStage

_RACE = "poll(2), POLLRDHUP: the FIN has come; one that is still on its way no check can see"
_NOBODY_READS = "shutdown(2): what comes is acknowledged and kept for a program that never reads it"
_AFTER_BOTH = (
    "net/ipv4/tcp.c, __tcp_close: after both FINs unread data is no reason for RST; the socket is closed already"
)
_SERVES = {"none": "close", "check": "close", "half-close": "half-close", "close-write": "close-write"}


class OneWay(Script):
    name = "one-way"
    help = (
        "A client that only writes, a server that closes when idle: bytes accepted and never read, and what loses none."
    )
    closer: ClassVar[Side] = "server"
    mortal: ClassVar[Side] = "server"
    options = (
        Option(
            "guard",
            "none: the server closes; check: and the client polls for RDHUP before each write; half-close: the server"
            " shuts down writing and reads to the end; close-write: it shuts down writing and reads no more",
            choice("--guard", *_SERVES),
            default="none",
        ),
        Option("count", "bytes in each message, 1 to 8192", whole("--count", 1, 8192), default=1024),
        Option("before", "messages before the silence, 1 to 5", whole("--before", 1, 5), default=3),
        Option("late", "messages after it, 2 to 5", whole("--late", 2, 5), default=3),
        Option(
            "idle", "the server closes after so much silence, 10ms to 60s", duration("--idle", 0.01, 60.0), default=0.3
        ),
        Option("gap", "time between two late messages, 10ms to 60s", duration("--gap", 0.01, 60.0), default=0.1),
    )

    async def play(self, stage: "EndingStage") -> None:
        server, client, values = stage.closer, stage.other, self.values
        for _ in range(values["before"]):
            await stage.act(client, "send", count=values["count"])
        served = await stage.act(server, "serve", idle=round(values["idle"] * 1e9), then=_SERVES[values["guard"]])
        # What lies there is read at once, so the silence begins now; the server says exactly when it was over.
        await stage.sees(lambda: stage.stage.said(server, "idle") is not None, values["idle"] + 2.0)
        idle = stage.stage.said(server, "idle")
        stage.asked_at = served.at_s + values["idle"] if idle is None else idle["due"] / 1e9
        await stage.state(client, "CLOSE_WAIT")
        for _ in range(values["late"]):
            await stage.sleep(values["gap"])
            if values["guard"] == "check" and "RDHUP" in (await stage.act(client, "poll")).result:
                break
            await stage.act(client, "send", count=values["count"])
        await stage.read_all(client, most=2)
        await stage.close(client)
        await stage.passed(client, "fin", "rst")
        if values["guard"] == "half-close":
            await stage.sees(lambda: stage.stage.said(server, "closed") is not None)
        elif values["guard"] == "close-write":
            await stage.state(server, "TIME_WAIT")
            await stage.exit(server)

    def checks(self, seen: "Seen") -> list[Check]:
        guard, count, late = self.values["guard"], self.values["count"], self.values["late"]
        sends, lost = seen.said("client", "send"), seen.bytes("client").lost
        found = [check("the client's read", {"EOF"}, _first(seen.said("client", "recv")), RFC_DIAGRAM)]
        if guard == "none":
            return [
                *found,
                check(
                    "the late writes", [str(count)] + ["EPIPE"] * (late - 1), sends, f"{NO_SOCKET}; {RST_IN_CLOSE_WAIT}"
                ),
                check("bytes accepted and never read", count, lost, NO_SOCKET),
                check("the server's goodbye", "FIN then RST", seen.goodbye("server"), NO_SOCKET),
            ]
        if guard == "check":
            return [
                *found,
                check("the late writes", [], sends, _RACE),
                check("what the check saw", True, "RDHUP" in _first(seen.said("client", "poll")), _RACE),
                check("bytes accepted and never read", 0, lost, _RACE),
                check("the server's goodbye", "FIN", seen.goodbye("server"), RFC_DIAGRAM),
            ]
        wanted = 0 if guard == "half-close" else late * count
        reason = "RFC 9293 3.6: the other direction stays open" if guard == "half-close" else _NOBODY_READS
        return [
            *found,
            check("the late writes", [str(count)] * late, sends, "RFC 9293 3.6: the other direction stays open"),
            check("bytes accepted and never read", wanted, lost, reason),
            check("the server's goodbye", "FIN", seen.goodbye("server"), _AFTER_BOTH),
        ]

    def why(self, seen: "Seen") -> str:
        guard, lost = self.values["guard"], seen.bytes("client").lost
        idle = format_duration(self.values["idle"])
        if guard == "none":
            return (
                f"The server closed after {idle} of silence; the client's next write succeeded, met no socket and was"
                f" lost ({lost} bytes); only the one after it failed."
            )
        if guard == "check":
            return (
                "The FIN was there before the write, poll() said RDHUP, nothing was written, nothing was lost. A FIN"
                " that is still under way no check can see."
            )
        if guard == "half-close":
            return "The server ended only its own direction and read on: every late message arrived. Nothing was lost."
        return (
            f"Every late write succeeded, without an error or a RST, and nobody read any of it: {lost} bytes lost in"
            " silence. CloseWrite() alone saves nothing; reading on does."
        )


def _first(said: list[str]) -> str:
    return said[0] if said else "nothing"
