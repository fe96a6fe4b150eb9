"""Who is writing a run: its writer holds flock(2) on records.jsonl for as long as it lives, kill -9 included.

A file system that has no such locks (ENOLCK, EOPNOTSUPP) is written all the same; there nobody can tell who writes.
"""

import errno
import fcntl
import os
import time
from pathlib import Path

from harness.store.find import RECORDS

# Whoever only looks holds the lock for microseconds; a writer holds it for its whole life.
_LOOKING_S = 0.25
_EVERY_S = 0.005


def take(descriptor: int, patience_s: float = _LOOKING_S) -> bool:
    """Take the lock of an open file; return False where another still has it after ``patience_s``."""
    deadline = time.monotonic() + patience_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except OSError as error:
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(_EVERY_S)


def is_running(folder: Path) -> bool:
    """Whether somebody writes this run at the moment."""
    try:
        descriptor = os.open(folder / RECORDS, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except OSError as error:
        return error.errno in (errno.EWOULDBLOCK, errno.EACCES)
    finally:
        os.close(descriptor)
