"""The cheap checks before use: does this idle connection still look open? None of them sends or waits.

They are those of ``checks``, blind spots included; here each only says whether to use the connection or not.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from harness.endpoints import checks
from harness.endpoints.asking import Subject

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from harness.endpoints.asking import Answer


def _closed(check: Callable[[Subject], Answer], sock: socket.socket) -> bool:
    return check(Subject(sock))[0] == checks.GONE


# True for "closed: do not use it".
CHECKS = {
    "read": functools.partial(_closed, checks.read_closed),
    "peek": functools.partial(_closed, checks.peek),
    "poll": functools.partial(_closed, checks.poll),
    "so-error": functools.partial(_closed, checks.so_error),
    "tcp-info": functools.partial(_closed, checks.tcp_info),
    "zero-recv": functools.partial(_closed, checks.recv_zero),
    "zero-read": functools.partial(_closed, checks.read_zero),
}
