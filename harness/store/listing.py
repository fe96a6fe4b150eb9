"""Every run with what only its folder knows at this moment: the disk that it takes, its pin, whether it is running."""

from pathlib import Path

import msgspec

from harness.store.disk import disk_use
from harness.store.index import Index
from harness.store.lock import is_running
from harness.store.pin import is_pinned
from harness.store.summary import Summary


class Listed(Summary, frozen=True):
    """``bytes``: on the disk, of the whole folder."""

    bytes: int
    pinned: bool
    running: bool


def listing(results: Path, rebuild: bool = False) -> list[Listed]:
    """Return every run under ``results``, the oldest first. ``rebuild``: make the index anew."""
    with Index(results, rebuild) as index:
        found = index.runs()
    return [
        Listed(
            **msgspec.structs.asdict(each),
            bytes=disk_use(results / each.name),
            pinned=is_pinned(results / each.name),
            running=is_running(results / each.name),
        )
        for each in found
    ]
