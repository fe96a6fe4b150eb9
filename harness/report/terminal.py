"""What a person sees while a trial runs: what happened when, what is still to come, and how much time is left.

Everything goes to standard error; standard output is for records. On a terminal the last line counts down;
elsewhere only what happened is printed. The countdown is drawn by a thread of its own: the engine never ticks for it.
"""

import time
from collections.abc import Callable
from textwrap import wrap
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from harness.labs.protocols import Mark
from harness.observe.naming import Names, notable
from harness.observe.segments import Segment
from harness.predict.situation import Prediction, Step
from harness.report.table import predicted
from harness.units import format_duration

_REFRESHES_PER_SECOND = 4
# Which trial an event is about; here there is one at a time.
_WHICH = ("trial", "attempt")
_INDENT = 14  # columns: an instant, and a gap
_NARROWEST = 20
_MOST_SEGMENTS = 200  # a stream in trouble sends thousands; all are in events.jsonl


class Terminal:
    """A listener for the engine's events. Use it in a ``with`` around the run. ``now``: the clock of their instants."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._fault_at: float | None = None
        self._coming: list[Step] = []
        self._shown = 0
        self._names = Names()
        self._doing = "building the lab"
        self._ends_at: float | None = None
        self.now: Callable[[], float] = time.monotonic
        self._live = Live(
            console=console,
            get_renderable=self._countdown,
            refresh_per_second=_REFRESHES_PER_SECOND,
            transient=True,
            auto_refresh=console.is_terminal,
        )

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._live.stop()

    def __call__(self, name: str, fields: dict[str, Any]) -> None:
        handler = getattr(self, f"_on_{name}", None)
        if handler is not None:
            handler(**{key: value for key, value in fields.items() if key not in _WHICH})

    # -- events ----------------------------------------------------------------------------------------------------

    def _on_trial(self, at: float, number: int, of: int) -> None:
        self._fault_at, self._coming, self._ends_at = None, [], None
        self._shown, self._names = 0, Names()
        self._doing = "connecting, then keeping quiet"
        if of > 1:
            self._print(Text(f"trial {number + 1} of {of}", style="bold"))

    def _on_fault(self, at: float, mark: Mark) -> None:
        self._fault_at = at
        self._doing = "waiting"
        self._line(at, f"fault in force ({mark.where}; peer {mark.peer})", "bold")

    def _on_prediction(self, at: float, prediction: Prediction, fault_at: float) -> None:
        self._coming = prediction.steps
        self._line(None, predicted(prediction), "cyan", stamp="predicted")

    def _on_watching(self, at: float, until: float) -> None:
        self._ends_at = until

    def _on_segment(self, at: float, segment: Segment) -> None:
        if self._fault_at is None or segment.at < self._fault_at or not notable(segment):
            return
        self._shown += 1
        if self._shown <= _MOST_SEGMENTS:
            self._line(segment.at, self._names.of(segment), "default")
        elif self._shown == _MOST_SEGMENTS + 1:
            self._line(segment.at, "more segments follow; events.jsonl has them all", "dim")

    def _on_healed(self, at: float) -> None:
        self._line(at, "healed", "bold")

    def _on_endpoint(self, at: float, side: str, what: str, **fields: Any) -> None:
        if what == "sign":
            self._line(at / 1e9, f"{fields['sign']} at the {side} ({fields['call']})", "bold")
        elif what == "blocked" and self._fault_at is not None:
            self._line(at / 1e9, f"the {side}'s write is stuck", "default")

    # -- drawing ---------------------------------------------------------------------------------------------------

    def _line(self, at: float | None, text: str, style: str, stamp: str = "") -> None:
        if at is not None and self._fault_at is not None:
            stamp = f"{at - self._fault_at:+.3f} s"
        # What is too long goes on below itself, not below the instants.
        for part in wrap(text, max(_NARROWEST, self._console.width - _INDENT)):
            self._print(Text(f"{stamp:>{_INDENT - 2}}  {part}", style=style))
            stamp = ""

    def _print(self, text: Text) -> None:
        self._console.print(text, soft_wrap=True)

    def _countdown(self) -> Text:
        if self._fault_at is None:
            return Text(f"              {self._doing} ...", style="dim")
        gone = self.now() - self._fault_at
        text = f"{gone:>10.1f} s  "
        following = next((step for step in self._coming if step.at_s > gone), None)
        if following is not None:
            text += f"next: {following.what} in {following.at_s - gone:.1f} s"
        end = self._coming[-1] if self._coming else None
        if end is not None and end is not following and end.at_s > gone:
            text += f"; {end.what} in {format_duration(end.at_s - gone)}"
        elif following is None and self._ends_at is not None:
            text += f"watching for another {format_duration(max(0.0, self._ends_at - self.now()))}"
        return Text(text, style="dim")
