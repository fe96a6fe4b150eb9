"""A run that is pinned is never pruned. The pin is a file in its folder, so that it moves and is copied with it."""

from pathlib import Path

from harness.errors import Unavailable

_PIN = "pinned"


def is_pinned(folder: Path) -> bool:
    return (folder / _PIN).exists()


def pin(folder: Path) -> None:
    """Pin a run. Raises Unavailable where its folder cannot be written."""
    try:
        (folder / _PIN).touch()
    except OSError as error:
        raise Unavailable(f"{folder} cannot be pinned ({error.strerror})") from None


def unpin(folder: Path) -> None:
    """Take the pin out, if there is one. Raises Unavailable where the folder cannot be written."""
    try:
        (folder / _PIN).unlink(missing_ok=True)
    except OSError as error:
        raise Unavailable(f"{folder} cannot be unpinned ({error.strerror})") from None
