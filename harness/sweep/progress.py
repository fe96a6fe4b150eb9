"""What a person sees while a sweep runs: done, running, the next to die, the time left. On standard error.

It is drawn when something has happened, and at most a few times a second; never on a timer of its own, so that a lab
whose clock skips idle time is not held up. That is why it names the clock times of what comes next instead of counting
down to them. Where standard error is no terminal, a line is printed for every tenth of the sweep.
"""

import time
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from harness.predict.situation import Prediction
from harness.sweep import outlast
from harness.units import format_duration
from harness.verdict.record import Record

_AT_MOST_EVERY_S = 0.25
_PARTS = 10


class Progress:
    """A listener for the engine's events; ``keep`` is told of every record. Use it in a ``with`` around the run.

    ``of``: how many trials the sweep has, ``done`` of which were done before. ``lasts``: how long each is foretold to
    last, by its number.
    """

    def __init__(self, console: Console, of: int, done: int, lasts: dict[int, float]) -> None:
        self._console, self._of, self._done, self._lasts = console, of, done, lasts
        self._again = 0
        # By trial: the instants (CLOCK_MONOTONIC here) at which it is to die, and to end.
        self._dies: dict[int, float] = {}
        self._ends: dict[int, float] = {}
        self._drawn = 0.0
        self._said = done * _PARTS // max(of, 1)
        self._live = Live(console=console, auto_refresh=False, transient=True)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._live.stop()

    def __call__(self, name: str, fields: dict[str, Any]) -> None:
        if name == "trial":
            number = fields["number"]
            self._ends[number] = time.monotonic() + self._lasts.get(number, 0.0)
        elif name == "prediction":
            self._predicted(fields["trial"], fields["prediction"], fields["fault_at"] - fields["at"])
        elif name == "room" and fields["of"] > 1:
            self._say(f"lab {fields['number']} of {fields['of']}: {fields['trials']} trials")
        elif name == "failed":
            self._say(f"trial {fields['trial']}, attempt {fields['attempt'] + 1}: {fields['why']}")
        else:
            return
        self._draw()

    def _predicted(self, number: int, prediction: Prediction, ago_s: float) -> None:
        after = outlast.sign_s(prediction)
        if after is not None:
            self._dies[number] = self._ends[number] = time.monotonic() + ago_s + after

    def keep(self, record: Record) -> None:
        self._dies.pop(record.trial, None)
        if record.flagged is None:
            self._done += 1
        else:
            self._again += 1
            self._say(f"trial {record.trial} does not count: {record.flagged}")
        self._ends.pop(record.trial, None)
        self._draw()

    # -- drawing ---------------------------------------------------------------------------------------------------

    def _say(self, text: str) -> None:
        self._console.print(text, soft_wrap=True, markup=False)

    def _draw(self) -> None:
        now = time.monotonic()
        if self._console.is_terminal:
            if now - self._drawn >= _AT_MOST_EVERY_S:
                self._drawn = now
                self._live.update(Text(self.line(now), style="dim", overflow="ellipsis", no_wrap=True), refresh=True)
        elif (part := self._done * _PARTS // max(self._of, 1)) > self._said:
            self._said = part
            self._say(self.line(now))

    def line(self, now: float) -> str:
        """Return what is to be said at the instant ``now``."""
        parts = [f"{self._done} of {self._of} done", f"{len(self._ends)} running"]
        if self._again:
            parts.append(f"{self._again} flagged")
        coming = [at for at in self._dies.values() if at > now]
        if coming:
            parts.append(f"next to die {_clock(min(coming) - now)}")
        left = max(self._ends.values(), default=now) - now
        if left > 0:
            parts.append(f"last about {_clock(left)}, in {format_duration(left)}")
        return "; ".join(parts)


def _clock(in_s: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(time.time() + in_s))
