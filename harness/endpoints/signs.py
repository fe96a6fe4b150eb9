"""What an error means: the words of the record for what a survivor sees.

Since Python 3.10 a deadline (socket.timeout) and ETIMEDOUT are both TimeoutError; only errno tells them apart (None for
a deadline). The kernel delivers an error once, to whoever asks first; after it recv() returns b'', like a clean close:
so only the first sign counts, and what follows is kept beside it as ``then``.
"""

from __future__ import annotations

import errno

EOF = "EOF"
DEADLINE = "deadline"
HEARTBEAT = "heartbeat"

_SIGNS = {
    errno.ETIMEDOUT: "ETIMEDOUT",
    errno.ECONNRESET: "ECONNRESET",
    errno.EPIPE: "EPIPE",
    errno.EHOSTUNREACH: "EHOSTUNREACH",
    errno.ENETUNREACH: "ENETUNREACH",
    errno.ECONNREFUSED: "ECONNREFUSED",
    errno.EAGAIN: DEADLINE,  # SO_RCVTIMEO and SO_SNDTIMEO end a blocking call with EAGAIN (socket(7))
}


def sign_of(error: OSError) -> str:
    """Return the record's word for ``error``; an errno that has none of its own keeps its C name."""
    if error.errno is None:
        return DEADLINE
    return _SIGNS.get(error.errno) or errno.errorcode.get(error.errno, f"errno {error.errno}")
