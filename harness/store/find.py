"""Which run is meant: a folder's path, a folder's name under results/, ``latest``, or ``latest~1`` for the one before.

A run is a real folder (no symbolic link) with a real records.jsonl in it. Runs are in the order of the UTC time in
their names; a folder that somebody renamed is put where its records were last written.
"""

import re
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path

from harness.errors import Refused

RECORDS = "records.jsonl"
_NAME = re.compile(r"(?P<stamp>[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{6}Z)-(?P<what>.+?)(?:-(?P<number>[0-9]{1,6}))?")
_STAMP = "%Y-%m-%dT%H%M%SZ"
_LATEST = re.compile(r"latest(?:~(?P<back>[0-9]{1,6}))?")
_MOST_NAMES = 3


def find_run(text: str, results: Path) -> Path:
    """Return the folder of the run that ``text`` names. Raises Refused, in one line that names near misses."""
    latest = _LATEST.fullmatch(text)
    if latest:
        return _back(int(latest["back"] or 0), text, results)
    if not text.strip():
        raise Refused(f"an empty text names no run; {_hint(results)}")
    # A plain name is looked for under results/ first; then, and with a slash, as a path of its own.
    places = [Path(text)] if "/" in text else [results / text, Path(text)]
    for folder in places:
        if is_run(folder):
            return folder
    for folder in places:
        if _is_folder(folder):
            raise Refused(f"{folder} is no run: there is no {RECORDS} in it; {_hint(results)}")
    raise Refused(f"{text!r} is no run; {_nearest(text, results)}")


def runs(results: Path) -> list[Path]:
    """Return the folder of every run under ``results``, the oldest first. A missing ``results`` has none."""
    try:
        found = [folder for folder in results.iterdir() if not folder.name.startswith(".") and is_run(folder)]
    except OSError:
        return []
    return sorted(found, key=_order)


def is_run(folder: Path) -> bool:
    """Whether ``folder`` is a run: itself and its records no symbolic links."""
    try:
        return not folder.is_symlink() and _is_real(folder / RECORDS)
    except (OSError, ValueError):  # a name that is too long, or has a NUL
        return False


def is_named_by_us(folder: Path) -> bool:
    """Whether the folder still has a name as runs get it."""
    return _NAME.fullmatch(folder.name) is not None


def started(folder: Path) -> datetime:
    """Return when the run began (UTC): what its name says, else when its records were last written."""
    named = _NAME.fullmatch(folder.name)
    if named:
        try:
            return datetime.strptime(named["stamp"], _STAMP).replace(tzinfo=UTC)
        except ValueError:  # 2026-99-99
            pass
    try:
        return datetime.fromtimestamp((folder / RECORDS).stat().st_mtime, UTC)
    except OSError:
        return datetime.fromtimestamp(0, UTC)


def what(folder: Path) -> str:
    """Return what the run's name says that was run; the whole name where somebody renamed it."""
    named = _NAME.fullmatch(folder.name)
    return named["what"] if named else folder.name


def _order(folder: Path) -> tuple[datetime, int, str]:
    """The third run of a second is later than the second one, and the tenth than the ninth."""
    named = _NAME.fullmatch(folder.name)
    return started(folder), int(named["number"] or 1) if named else 0, folder.name


def _back(back: int, text: str, results: Path) -> Path:
    found = runs(results)
    if back < len(found):
        return found[-1 - back]
    count = {0: "no run", 1: "one run"}.get(len(found), f"{len(found)} runs")
    raise Refused(f"{text}: {results} has {count}")


def _is_real(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def _nearest(text: str, results: Path) -> str:
    names = [folder.name for folder in reversed(runs(results))]
    text = text.rstrip("/").rpartition("/")[2]
    near = [name for name in names if text and text in name] or get_close_matches(text, names, _MOST_NAMES)
    if not near:
        return _hint(results)
    more = f", and {len(near) - _MOST_NAMES} more like it" if len(near) > _MOST_NAMES else ""
    return f"near it: {', '.join(near[:_MOST_NAMES])}{more}"


def _hint(results: Path) -> str:
    return f"runs are in {results} (invoke runs lists them), or say latest, or latest~1"
