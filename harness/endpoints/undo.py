"""What takes a fault back, as data: it is promised before the fault is put, and done by whoever is left to do it.

An action is {"netlink": {"protocol", "data": base64, "wait": [sequence numbers]}} or {"write": {"path", "text"}}.
Undoing what is already undone is no failure. Instants are CLOCK_MONOTONIC nanoseconds.
"""

from __future__ import annotations

import base64
import errno
import os
from typing import Any

from harness.endpoints.loop import now
from harness.endpoints.netlink import Netlink

_UNDONE = (errno.ENOENT, errno.ENODEV, errno.ENXIO, errno.ESRCH, errno.EADDRNOTAVAIL)


def perform(actions: list[dict[str, Any]]) -> dict[str, Any]:
    """Do them in order, each whatever became of those before it.

    Return the last one's ``before`` and ``after``, and the first failure's ``errno`` (0: none) and ``text``.
    """
    said = {"before": now(), "after": now(), "errno": 0, "text": ""}
    for action in actions:
        said["before"] = now()
        try:
            number, text = _one(action, said)
        except OSError as error:
            number, text = error.errno or errno.EIO, str(error.strerror or error)
            said["after"] = now()
        if number and number not in _UNDONE and not said["errno"]:
            said["errno"], said["text"] = number, text
    return said


def _one(action: dict[str, Any], said: dict[str, Any]) -> tuple[int, str]:
    if "write" in action:
        write(**action["write"])
        said["after"] = now()
        return 0, ""
    asked = action["netlink"]
    netlink = Netlink(asked["protocol"])
    try:
        answer = netlink.ask(base64.b64decode(asked["data"]), asked.get("wait"))
    finally:
        netlink.close()
    said["before"], said["after"] = answer.before, answer.after
    return answer.errno, answer.text


def write(path: str, text: str) -> None:
    """Write to a file that is there, in one write(2), as /proc/sys wants it. Raises OSError."""
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)


def check(actions: list[dict[str, Any]]) -> None:
    """Raise ValueError unless these are actions: an undo must not be found wanting when it is needed."""
    for action in actions:
        netlink, file = action.get("netlink"), action.get("write")
        if netlink is not None and isinstance(netlink["protocol"], int):
            base64.b64decode(netlink["data"], validate=True)
        elif file is None or not isinstance(file["path"], str) or not isinstance(file["text"], str):
            raise ValueError(f"not an undoing: {action}")
