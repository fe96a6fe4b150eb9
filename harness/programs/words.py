"""What the programs say: instants, places, received bytes, and how a connection ended.

What came over the network is shown with its control characters escaped: it must not drive the reader's terminal.
"""

import errno
import io
import os
import signal
import sys
from typing import Any

from harness.endpoints.signs import EOF

# ECONNRESET is read or written into an RST. EPIPE is the same when the peer's FIN had come before its RST
# (net/ipv4/tcp_input.c, tcp_reset: CLOSE_WAIT), for neither program writes after it has closed its own direction.
_RST = {
    "ECONNRESET": "an RST came, without a FIN before it",
    "EPIPE": "an RST came, after its FIN, in answer to what was written",
}


def verdict(sign: str, call: str, whose: str) -> str:
    """Return in words how a connection ended; ``whose`` end it was: server or client."""
    if sign == EOF:
        return f"[EOF] the {whose} closed its end in order: its FIN came"
    if sign in _RST:
        return f"[RST] the {whose} reset the connection: {_RST[sign]} ({call}: {sign})"
    number = getattr(errno, sign, None)
    meaning = sign if number is None else f"{sign}, {os.strerror(number).lower()}"
    return f"[ERROR] {call} failed: {meaning}"


CLOSED = "[CLOSED] this end closed the connection itself"


def place(address: Any) -> str:
    """Return the socket address as host:port; ``address`` is what getpeername() gives."""
    host, port = address[:2]
    host = host.removeprefix("::ffff:")  # an IPv4 client of a socket that serves both
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def shown(data: bytes) -> str:
    """Return ``data`` as text on one line, without its last newline."""
    text = data.decode("utf-8", "backslashreplace").removesuffix("\n")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def received(data: bytes) -> str:
    return f"received {count(len(data), 'byte')}: {shown(data)}"


def count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def say(text: str) -> None:
    """One line on standard output, there at once, also in a pipe."""
    print(text, flush=True)


def say_since(began: int, at: int, text: str) -> None:
    """The same, with the seconds from ``began`` to ``at`` (ns) before it."""
    say(f"{(at - began) / 1e9:+9.3f} s  {text}")


def follow_the_reader() -> None:
    """End in silence where nobody reads the lines any more (``| head``), and write any text in any locale."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
