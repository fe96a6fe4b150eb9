"""The program as a person runs it: one whole command in a process of its own, looked at from outside.

Everything that a command starts carries a mark in its environment, which is how what is left of it can be told from
what others run on the same machine.
"""

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

ROOT = Path(__file__).parents[2]
# What a loaded machine may take for what should take no time.
WITHIN_S = 5.0
_MARK = "HALFOPEN_TEST_MARK"


class Ended(msgspec.Struct, frozen=True):
    """What a command left when it ended. ``after_s``: how long after it was told to end, or was waited for."""

    code: int
    out: str
    err: str
    after_s: float

    @property
    def records(self) -> list[dict[str, Any]]:
        """Everything on standard output, which is JSON Lines or a failure."""
        return [msgspec.json.decode(line) for line in self.out.splitlines()]


class Program:
    """A command that runs. Use it in a ``with``: at its end the program is killed, if it still runs.

    ``through``: a command that runs the command: as somebody else, in other namespaces.
    """

    def __init__(
        self, *words: str, results: Path | None, through: Sequence[str] = (), env: dict[str, str] | None = None
    ) -> None:
        self.results = results
        self._mark = f"{_MARK}={uuid.uuid4()}"
        name, value = self._mark.split("=")
        where = () if results is None else ("--results", str(results))
        self._process = subprocess.Popen(
            [*through, *(() if through else (sys.executable,)), "-m", "invoke", *words, *where],
            cwd=ROOT,
            env={**os.environ, "COLUMNS": "80", **(env or {}), name: value},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # A process group of its own, which is what Ctrl-C reaches.
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._process.returncode is None:
            self._process.kill()
            self._process.communicate()

    @property
    def runs(self) -> bool:
        return self._process.poll() is None

    def wait(self, within_s: float) -> Ended:
        """Return what is left when the program has ended; more than ``within_s`` is an error."""
        began = time.monotonic()
        out, err = self._process.communicate(timeout=within_s)
        return Ended(self._process.returncode, out.decode(), err.decode(), time.monotonic() - began)

    def end(self, number: signal.Signals, within_s: float = WITHIN_S) -> Ended:
        """Send a signal to the whole process group, as a terminal does, and wait for the end."""
        os.killpg(self._process.pid, number)
        return self.wait(within_s)

    def kill(self) -> Ended:
        """kill -9 of the program, and of nothing else."""
        self._process.kill()
        return self.wait(WITHIN_S)

    def told(self, event: str) -> bool:
        """Whether the run's events.jsonl has ``event`` by now."""
        assert self.results is not None
        wanted = f'{{"event":"{event}"'
        return any(
            line.startswith(wanted)
            for file in self.results.glob("*/events.jsonl")
            for line in file.read_text().splitlines()
        )

    def await_event(self, event: str) -> None:
        """Wait until the run has come to ``event``."""
        assert eventually(lambda: self.told(event) or not self.runs), f"no {event} within {WITHIN_S} s"
        assert self.runs, self.wait(WITHIN_S)

    def left(self) -> list[str]:
        """Every process that this program started and that still is: its name, and its PID."""
        mark = self._mark.encode()
        found = []
        for process in Path("/proc").iterdir():
            if process.name.isdigit() and int(process.name) != self._process.pid:
                try:
                    if mark in (process / "environ").read_bytes().split(b"\0"):
                        found.append(f"{(process / 'comm').read_text().strip()} {process.name}")
                except OSError:
                    continue  # it has just ended, or is another user's
        return found

    def leaves_nothing(self) -> bool:
        return eventually(lambda: not self.left())


def run(*words: str, results: Path | None, within_s: float = 30, through: Sequence[str] = ()) -> Ended:
    """Run a command to its end."""
    with Program(*words, results=results, through=through) as program:
        return program.wait(within_s)


def eventually(condition: Callable[[], bool], within_s: float = WITHIN_S, every_s: float = 0.005) -> bool:
    """Whether ``condition`` comes true within ``within_s``."""
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(every_s)
    return True


def lines(file: Path) -> list[dict[str, Any]]:
    """The objects of a JSON Lines file, of which every line must be whole."""
    text = file.read_bytes()
    assert not text or text.endswith(b"\n"), f"{file}: the last line is cut short"
    return [msgspec.json.decode(line) for line in text.splitlines()]
