"""The command that becomes the agent, and in words why it did not.

One line in single quotes with none of what login shells (sh, bash, zsh, fish, csh) read in different ways between them:
newlines, backslashes, single quotes, exclamation marks.
"""

import re
from typing import NamedTuple

from harness.endpoints import bundle
from harness.errors import Unavailable

PATIENCE_S = 30.0  # for a slow profile, a slow sudo
_OLDEST = (3, 8)
_OURS = "halfopen: "
_CHECK = (
    f"import sys;sys.version_info<{_OLDEST} and sys.exit("
    f'"{_OURS}it has Python %d.%d; Python {_OLDEST[0]}.{_OLDEST[1]} or later is needed"%sys.version_info[:2])'
)
_NO_PYTHON = re.compile(
    r"python3\b.*(not found|no such file|unknown command)|unknown command:? .?python3", re.IGNORECASE
)
# The last line of a traceback: then there is a Python, and whoever was to become root did.
_OF_PYTHON = re.compile(r"[A-Za-z_.]*(Error|Exception)\b")


class Ended(NamedTuple):
    """How a command ended: its exit status (-1: it was not told), and the last line that it wrote to standard error."""

    status: int
    last_words: str


def agent_command(become: str) -> str:
    """Return what a host is asked to run."""
    *options, program = bundle.COMMAND
    words = ["python3", *options, f"'{_CHECK};{_plainly(program)}'"]
    return " ".join([become, *words] if become else words)


def _plainly(program: str) -> str:
    """Return Python that runs ``program``, with other characters in place of those that shells dispute."""
    spare = (character for character in "~^@|;?$&`#%{}" if character not in program)
    disputed: dict[str, str | int | None] = {each: next(spare) for each in "\n\"\\'!" if each in program}
    put_back = "".join(f'.replace("{plain}",chr({ord(each)}))' for each, plain in disputed.items())
    return f'exec("{program.translate(str.maketrans(disputed))}"{put_back})'


class NoAgent(Unavailable):
    """The login works, and no agent runs: the host lacks ``lacks``, Python or privilege."""

    def __init__(self, line: str, lacks: str) -> None:
        super().__init__(line)
        self.lacks = lacks


def no_agent(typed: str, ended: Ended, become: str) -> NoAgent:
    """Return the error for a command that ended without an agent."""
    refused = f"it does not let its user become root by {become!r}"
    why = why_not(ended, become, refused)
    return NoAgent(f"{typed}: {why}", "privilege" if why.startswith(refused) else "Python")


def why_not(ended: Ended, become: str, refused: str) -> str:
    """Return why no agent runs: what is missing on the host, and how to get it."""
    last = ended.last_words
    if last.startswith(_OURS):
        return last.removeprefix(_OURS)
    if _NO_PYTHON.search(last) or (ended.status == 127 and not become):
        return "it has no python3 in its PATH; Python 3.8 or later is needed there, and nothing else"
    if "ModuleNotFoundError" in last or "No module named" in last:
        return f"its python3 is not whole ({last}); install python3, not python3-minimal"
    status = "killed" if ended.status < 0 else f"exit status {ended.status}"
    told = f"{last} ({status})" if last else f"{status}, without a word"
    if become and not _OF_PYTHON.match(last):
        return f"{refused}: {told}; let it do so without a password"
    return f"the agent did not start: {told}"
