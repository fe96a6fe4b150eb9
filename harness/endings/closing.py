"""What an end does that closes: how it is done, and what goes before and after it.

The closer writes 1000 bytes and closes at once; the other end has read nothing until then, so that what a close does to
data under way shows. ``close`` has what must then be seen.
"""

from typing import TYPE_CHECKING, Any

from harness.endings.base import Script
from harness.endings.record import CLOSED
from harness.errors import Refused
from harness.spec.options import Option
from harness.spec.parse import choice, whole_seconds

if TYPE_CHECKING:
    from harness.endings.stage import EndingStage

COUNT = 1000
_LINGER_S = 5
# Linux's FIN of an orphan, with tcp_orphan_retries = 1 as the lab has it, is given up after two retransmissions.
_GIVEN_UP_S = 4.0


class Closing(Script):
    options = (
        Option(
            "how",
            "graceful: close(); immediate: SO_LINGER 0 and close(); half: shutdown(SHUT_WR), and read on; linger:"
            " close() with SO_LINGER on; kill: kill -9 of the process",
            choice("--how", "graceful", "immediate", "half", "linger", "kill"),
            default="graceful",
        ),
        Option(
            "linger",
            "with --how linger: the time, whole seconds, 0 to 60 (default 5s)",
            whole_seconds("--linger", 0, 60),
        ),
        Option(
            "nonblocking",
            "with --how linger: the socket is non-blocking (does close() then fail with EWOULDBLOCK?)",
            bool,
            default=False,
            is_flag=True,
        ),
        Option(
            "peer",
            "present, or gone: the path is cut before the closing",
            choice("--peer", "present", "gone"),
            default="present",
        ),
        Option(
            "unread",
            "the closer has data in its buffer that it never read",
            bool,
            default=False,
            is_flag=True,
        ),
    )

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        values = self.values
        lingers = values["how"] == "linger"
        for name in ("linger", "nonblocking"):
            if values[name] not in (None, False) and not lingers:
                raise Refused(f"--{name} has no effect without --how linger; give that as well, or leave it out")
        if lingers and values["linger"] is None:
            values["linger"] = _LINGER_S

    # -- what is done ----------------------------------------------------------------------------------------------

    async def play(self, stage: "EndingStage") -> None:
        closer, left = stage.closer, stage.other
        if self.values["unread"]:
            await stage.act(left, "send", count=COUNT)
            await stage.sees(lambda: stage.last(closer).rqueue >= COUNT)
        lingers = 0 if self.values["how"] == "immediate" else self.values["linger"]
        if lingers is not None:
            await stage.act(closer, "linger", seconds=lingers)
        if self.values["nonblocking"]:
            await stage.act(closer, "nonblocking")
        if self.gone:
            await stage.cut()
        await stage.act(closer, "send", count=COUNT)
        await stage.now()
        await self._end(stage)
        if self.gone:
            await stage.passed(closer, "fin", "rst")
            if not self.half and not self.lingers:
                await stage.gone(closer, _GIVEN_UP_S)
            return
        await stage.passed(closer, "fin", "rst")
        await stage.state(closer, CLOSED if self.resets else "FIN_WAIT2")  # its FIN may be acknowledged 40 ms later
        await stage.read_all(left)
        if self.resets:
            await stage.act(left, "send", count=1)
            return
        if self.half:
            await stage.act(left, "send", count=COUNT)
            await stage.sees(lambda: stage.last(closer).rqueue >= COUNT)
            await stage.read_all(closer)
        await stage.close(left)
        await stage.passed(left, "fin")
        if self.half:
            await stage.read_all(closer, most=1)
            await stage.close(closer)

    async def _end(self, stage: "EndingStage") -> None:
        how = self.values["how"]
        if how == "kill":
            await stage.kill(stage.closer)
        elif how == "half":
            await stage.act(stage.closer, "shutdown", how="write")
        else:
            await stage.close(stage.closer, within_s=(self.values["linger"] or 0) + 2.0)

    @property
    def gone(self) -> bool:
        return bool(self.values["peer"] == "gone")

    @property
    def half(self) -> bool:
        return bool(self.values["how"] == "half")

    @property
    def lingers(self) -> bool:
        return bool(self.values["linger"])

    @property
    def unread_tells(self) -> bool:
        """Whether unread data decides: shutdown() does not look at it."""
        return bool(self.values["unread"]) and not self.half

    @property
    def resets(self) -> bool:
        return self.unread_tells or self.values["how"] == "immediate" or self.values["linger"] == 0
