"""The client closes; the server reads EOF and never closes: CLOSE_WAIT there, FIN_WAIT2 here, and for how long.

An orphan in FIN_WAIT2 goes after tcp_fin_timeout (tcp(7); net/ipv4/tcp.c, __tcp_close: up to 60 s it is a TIME_WAIT
mini-socket with that timer). One that a process still holds (shutdown) has no timer. CLOSE_WAIT has none either.
"""

from typing import TYPE_CHECKING, Any, ClassVar

from harness.endings.base import NO_SOCKET, RFC_DIAGRAM, Script, check, within
from harness.endings.record import CLOSED, Check
from harness.errors import Refused
from harness.spec.options import Option
from harness.spec.parse import choice, duration, whole_seconds
from harness.spec.sides import Side

if TYPE_CHECKING:
    from harness.endings.seen import Seen
    from harness.endings.stage import EndingStage

_FIN_TIMEOUT_S = 3
_LONGER_S = 1.0
_ORPHAN = "tcp(7), tcp_fin_timeout: an orphan in FIN_WAIT2 is not kept longer"
_NO_TIMER = "tcp(7), tcp_fin_timeout is for orphans; RFC 9293 has no timeout in FIN-WAIT-2 or CLOSE-WAIT"
_EXIT = "_exit(2): the kernel closes what the process held, so the FIN comes now"


class LeakClose(Script):
    name = "leak-close"
    help = "EOF is read and the socket never closed: CLOSE_WAIT there, FIN_WAIT2 here, for how long, and who cleans up."
    closer: ClassVar[Side] = "client"
    mortal: ClassVar[Side] = "server"
    options = (
        Option(
            "how",
            "how the client closes: close (an orphan is left), half (shutdown(SHUT_WR): a process holds it)",
            choice("--how", "close", "half"),
            default="close",
        ),
        Option(
            "fin-timeout",
            "with --how close: tcp_fin_timeout of the client's host, whole seconds, 1 to 60 (here 3s; kernel: 60s)",
            whole_seconds("--fin-timeout", 1, 60),
            field="fin_timeout",
        ),
        Option(
            "hold",
            "how long the leak lasts until the server's process ends, 50ms to 1h (default: fin-timeout + 1s)",
            duration("--hold", 0.05, 3600),
        ),
    )

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        values = self.values
        if values["fin_timeout"] is not None and values["how"] == "half":
            raise Refused("--fin-timeout is for orphans and has no effect with --how half; leave one of them out")
        values["fin_timeout"] = values["fin_timeout"] or _FIN_TIMEOUT_S
        values["hold"] = values["hold"] or values["fin_timeout"] + _LONGER_S

    @property
    def fin_timeout_s(self) -> int:
        return int(self.values["fin_timeout"])

    async def play(self, stage: "EndingStage") -> None:
        leaker, client = stage.other, stage.closer
        await stage.now()
        if self._half:
            await stage.act(client, "shutdown", how="write")
        else:
            await stage.close(client)
        await stage.state(leaker, "CLOSE_WAIT")
        await stage.state(client, "FIN_WAIT2")
        await stage.act(leaker, "recv")
        ends_at = stage.asked_at + self.values["hold"]
        if self._expires:
            await stage.gone(client, self.values["hold"])
        await stage.stage.until(ends_at)
        await stage.look()
        await stage.exit(leaker)
        await stage.passed(leaker, "fin")
        await stage.state(leaker, CLOSED)

    @property
    def _half(self) -> bool:
        return bool(self.values["how"] == "half")

    @property
    def _expires(self) -> bool:
        return not self._half and bool(self.values["hold"] > self.values["fin_timeout"])

    def checks(self, seen: "Seen") -> list[Check]:
        exit_s = seen.did("server", "exit")[0].at_s
        # From the first look after the FIN had come to the last before the process ended.
        looks = [k for k in seen.looks if k.side == "server" and k.at_s + k.took_s < exit_s]
        held = looks[next((n for n, k in enumerate(looks) if k.state != "ESTABLISHED"), len(looks)) :]
        found = [
            check("the server's read", ["EOF"], seen.said("server", "recv"), RFC_DIAGRAM),
            check(
                "the server's socket until its process ended",
                ["CLOSE_WAIT"],
                sorted({k.state for k in held}),
                _NO_TIMER,
            ),
            check("timer on the server's socket", ["none"], sorted({k.timer for k in held}), _NO_TIMER),
            check(
                "FIN from the server before its process ended",
                0,
                sum(p.at_s < exit_s for p in seen.sent("server", "fin")),
                RFC_DIAGRAM,
            ),
            check(
                "FIN from the server when its process ended",
                1,
                sum(p.at_s >= exit_s for p in seen.sent("server", "fin")),
                _EXIT,
            ),
            check("the server's socket afterwards", CLOSED, seen.last("server").state, _EXIT),
        ]
        waits = [k for k in seen.looks if k.side == "client" and k.state == "FIN_WAIT2"]
        if self._half:
            return [
                *found,
                check(
                    "the client held its FIN_WAIT2",
                    [True],
                    sorted({k.owned for k in waits}),
                    "shutdown(2) closes no descriptor",
                ),
                check("timer on it", ["none"], sorted({k.timer for k in waits}), _NO_TIMER),
                check("the client's socket afterwards", "TIME_WAIT", seen.last("client").state, RFC_DIAGRAM),
            ]
        if not self._expires:
            return [
                *found,
                check("the client's socket afterwards", "TIME_WAIT", seen.last("client").state, RFC_DIAGRAM),
            ]
        timeout = float(self.values["fin_timeout"])
        late = timeout + seen.lateness_s(timeout) + 0.05
        return [
            *found,
            within("the orphan's FIN_WAIT2 lasted", timeout, late, self.waited(seen), _ORPHAN),
            check("the client's answer to the late FIN", 1, len(seen.sent("client", "rst")), NO_SOCKET),
        ]

    def waited(self, seen: "Seen") -> float | None:
        """Return for how long the client's orphan was in FIN_WAIT2, None where it did not go."""
        fins, gone = seen.sent("client", "fin"), seen.gone_at("client")
        return None if gone is None or not fins else gone - fins[0].at_s

    def why(self, seen: "Seen") -> str:
        held = seen.did("server", "exit")[0].at_s
        end = f"the server's CLOSE_WAIT lasted {held:.2f} s, until its process ended, and would have lasted for ever"
        if self._half:
            return f"Nobody times out: the client's FIN_WAIT2 belongs to a process and has no timer; {end}."
        waited = self.waited(seen)
        if waited is None or not self._expires:
            return f"The server's process ended before tcp_fin_timeout was over; {end}."
        return f"The client's kernel let its FIN_WAIT2 go after {waited:.2f} s; {end}. That FIN, too late, met RST."
