"""``invoke server`` and ``invoke client`` as a person has them in two terminals: what they say, line by line."""

import os
import re
import selectors
import signal
import subprocess
import sys
import time
from types import TracebackType
from typing import IO, Self

from tests.lab.program import ROOT, WITHIN_S, Ended


class Talker:
    """A program that talks while it runs. At the end of the ``with`` it is killed, if it still runs.

    ``stdin``: its input; without one, a pipe that ``type`` writes to.
    """

    def __init__(self, *words: str, stdin: int | IO[bytes] = subprocess.PIPE) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "invoke", *words],
            cwd=ROOT,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self._said = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    def hear(self, pattern: str, within_s: float = WITHIN_S) -> re.Match[str]:
        """Wait for a line that has ``pattern``, which may have been said already. The program still runs, or has not
        been waited for.
        """
        deadline = time.monotonic() + within_s
        assert self._process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while True:
                # Whole lines only: a line that is said in two pieces is one line.
                whole = self._said[: self._said.rfind("\n") + 1]
                found = re.search(pattern, whole, re.MULTILINE)
                if found:
                    return found
                data = b""
                if selector.select(deadline - time.monotonic()):
                    data = os.read(self._process.stdout.fileno(), 65536)
                assert data, f"{pattern!r} never came: {self._said}"
                self._said += data.decode()

    def type(self, text: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(text.encode())
        self._process.stdin.flush()

    def hang_up(self) -> None:
        """Read no more of what it says."""
        assert self._process.stdout is not None
        self._process.stdout.close()

    def wait(self, within_s: float = WITHIN_S) -> Ended:
        """Return all that it said, when it has ended by itself."""
        began = time.monotonic()
        assert self._process.stdout is not None and self._process.stderr is not None
        self._process.wait(within_s)
        if not self._process.stdout.closed:
            self._said += self._process.stdout.read().decode()
        err = self._process.stderr.read().decode()
        return Ended(self._process.returncode, self._said, err, time.monotonic() - began)

    def interrupt(self) -> Ended:
        """Ctrl-C, which reaches the whole process group."""
        os.killpg(self.pid, signal.SIGINT)
        return self.wait()


def server(*words: str, bind: str = "127.0.0.1") -> Talker:
    return Talker("server", "--bind", bind, "--port", "0", *words)


def port_of(server: Talker) -> int:
    """Wait until it listens."""
    return int(server.hear(r"^listening on .*:(\d+)$")[1])


def client(port: int, *words: str, host: str = "127.0.0.1", stdin: int | IO[bytes] = subprocess.PIPE) -> Talker:
    return Talker("client", "--host", host, "--port", str(port), *words, stdin=stdin)
