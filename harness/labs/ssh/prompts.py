"""Secrets that only a person knows: asked on the terminal, once, and only where there is one. Kept in memory only."""

import contextlib
import getpass
import os
import termios
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any


class Prompts:
    """Asks. Hosts that are logged in to at the same time share one, so that a person is asked one thing at a time.

    ``ask``: shows a prompt and returns what was typed; unless given, /dev/tty is asked where the program has one.
    """

    def __init__(self, ask: Callable[[str], str] | None = None) -> None:
        self._terminal = None if ask else _terminal()
        self._ask = ask or (getpass.getpass if self._terminal else None)
        self._lock = threading.Lock()
        self._passphrases: dict[Path, str] = {}

    @property
    def possible(self) -> bool:
        return self._ask is not None

    def secret(self, prompt: str) -> str | None:
        """Return what was typed; None where nobody can be asked, or nothing was typed."""
        with self._lock:
            return self._typed(prompt)

    def passphrase(self, key: Path, opens: Callable[[str], bool]) -> bool:
        """Ask for the passphrase of ``key`` until one ``opens`` it, three times at most. Return whether one did."""
        with self._lock:
            if key in self._passphrases:
                return opens(self._passphrases[key])
            for _ in range(3):
                typed = self._typed(f"Passphrase for {key}: ")
                if typed is None:
                    return False
                if opens(typed):
                    self._passphrases[key] = typed
                    return True
            return False

    def close(self) -> None:
        """Leave the terminal as it was, also where somebody is still being asked."""
        if self._terminal:
            tty, attributes = self._terminal
            self._terminal = None
            with contextlib.suppress(termios.error, OSError):
                termios.tcsetattr(tty, termios.TCSANOW, attributes)
            os.close(tty)
        self._passphrases.clear()

    def _typed(self, prompt: str) -> str | None:
        if self._ask is None:
            return None
        try:
            return self._ask(prompt) or None
        except EOFError:
            return None


def _terminal() -> tuple[int, list[Any]] | None:
    try:
        tty = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return tty, termios.tcgetattr(tty)
    except termios.error:
        os.close(tty)
        return None
