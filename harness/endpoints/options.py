"""What is set on the survivor's socket, and what the socket then says (tcp(7), socket(7)).

A setting is always read back with getsockopt: the record never holds what was merely asked for.
"""

from __future__ import annotations

import socket
import struct
import time
from typing import Any

# Not in every Python: the numbers are Linux's (include/uapi/linux/tcp.h).
TCP_USER_TIMEOUT = 18
TCP_REPAIR = 19
TCP_RTO_MAX_MS = 44

# In this order, SO_KEEPALIVE last: then its instant is the one at which the first timer was armed with the full idle.
_OPTIONS = (
    ("idle_s", socket.IPPROTO_TCP, socket.TCP_KEEPIDLE),
    ("interval_s", socket.IPPROTO_TCP, socket.TCP_KEEPINTVL),
    ("count", socket.IPPROTO_TCP, socket.TCP_KEEPCNT),
    ("user_timeout_ms", socket.IPPROTO_TCP, TCP_USER_TIMEOUT),
    ("rto_max_ms", socket.IPPROTO_TCP, TCP_RTO_MAX_MS),
    ("syn_count", socket.IPPROTO_TCP, socket.TCP_SYNCNT),
    ("keepalive", socket.SOL_SOCKET, socket.SO_KEEPALIVE),
)

_TRIES, _TIGHT_NS = 10, 50_000

_INFO = struct.Struct("=8B24I4Q4I")  # the beginning of struct tcp_info, up to tcpi_min_rtt (Linux 4.6)


def put(sock: socket.socket, asked: dict[str, Any]) -> int | None:
    """Set what ``asked`` names; return the instant (ns) at which SO_KEEPALIVE went on, None where it did not.

    Raises OSError with the option's name in ``filename`` where the kernel refuses.
    """
    armed = None
    for name, level, option in _OPTIONS:
        value = asked.get(name)
        if value is None:
            continue
        try:
            if name == "keepalive" and value:
                armed = _arm(sock)
            else:
                sock.setsockopt(level, option, int(value))
        except OSError as error:
            error.filename = name
            raise
    return armed


def _arm(sock: socket.socket) -> int:
    """Switch SO_KEEPALIVE on and return when. Off and on again arms the timer anew, so a bracket that was torn apart
    (the process lost its processor in between) is not kept.
    """
    for _ in range(_TRIES):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 0)
        before = time.monotonic_ns()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        after = time.monotonic_ns()
        if after - before <= _TIGHT_NS:
            break
    return (before + after) // 2


def read_back(sock: socket.socket) -> dict[str, Any]:
    """Return every setting as the socket has it; one that this kernel does not know is left out."""
    found: dict[str, Any] = {}
    for name, level, option in _OPTIONS:
        try:
            found[name] = sock.getsockopt(level, option)
        except OSError:
            continue  # TCP_RTO_MAX_MS before Linux 6.15
    found["keepalive"] = bool(found["keepalive"])
    return found


def tcp_info(sock: socket.socket) -> dict[str, Any]:
    """Return the parts of struct tcp_info that decide the timers. Times in seconds."""
    raw = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO.size)
    fields = _INFO.unpack(raw.ljust(_INFO.size, b"\0"))
    words = fields[8:32]
    return {
        "state": fields[0],
        "retransmits": fields[2],
        "probes": fields[3],
        "backoff": fields[4],
        "rto_s": words[0] / 1e6,
        "snd_mss": words[2],
        "unacked": words[4],
        "srtt_s": words[15] / 1e6,
        "rttvar_s": words[16] / 1e6,
        "trip_s": fields[39] / 1e6,
    }
