"""Taking runs away: never a pinned one, never one that is running, never what is not a run with a name as runs get it.

A run is first renamed to a hidden name, then deleted: a kill in between leaves no half of a run, and the next pruning
deletes the rest. Symbolic links are never followed: neither to a run, nor out of one.
"""

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from harness.errors import Unavailable
from harness.store import lock
from harness.store.disk import disk_use
from harness.store.find import RECORDS, is_named_by_us, runs, started
from harness.store.pin import is_pinned

_HIDDEN = ".pruned-"


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """A run goes if everything that is given applies: it is none of the newest ``keep``, it began longer than
    ``older_than_s`` ago, it takes more than ``larger_than`` bytes.
    """

    keep: int | None = None
    older_than_s: float | None = None
    larger_than: int | None = None

    @property
    def says_nothing(self) -> bool:
        return self.keep is None and self.older_than_s is None and self.larger_than is None


class Pruned(msgspec.Struct):
    """``gone``: names and bytes of what was (or would be) deleted; ``pinned``, ``running``: names of what stayed though
    the rule applied to it.
    """

    gone: dict[str, int]
    pinned: list[str]
    running: list[str]


def prune(results: Path, rule: Rule, dry_run: bool = False) -> Pruned:
    """Delete the runs that ``rule`` applies to. Raises Unavailable where one cannot be deleted."""
    done = Pruned({}, [], [])
    if not dry_run:
        for rest in _left_over(results):
            _delete(rest)
    for folder, size in _chosen(results, rule):
        if is_pinned(folder):
            done.pinned.append(folder.name)
        elif lock.is_running(folder) if dry_run else not _take_away(folder):
            done.running.append(folder.name)
        else:
            done.gone[folder.name] = size
    return done


def _chosen(results: Path, rule: Rule) -> Iterator[tuple[Path, int]]:
    """Yield the runs that the rule applies to, and what each takes, the oldest first."""
    found = [folder for folder in runs(results) if is_named_by_us(folder)]
    now = datetime.now(UTC)
    for folder in found[: max(0, len(found) - (rule.keep or 0))]:
        if rule.older_than_s is not None and (now - started(folder)).total_seconds() <= rule.older_than_s:
            continue
        size = disk_use(folder)
        if rule.larger_than is None or size > rule.larger_than:
            yield folder, size


def _take_away(folder: Path) -> bool:
    """Delete a run; return False where somebody writes it."""
    try:
        held = os.open(folder / RECORDS, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return True  # another pruning was faster
    except OSError as error:
        raise _stuck(folder, error) from None
    try:
        if not lock.take(held):
            return False
        hidden = folder.with_name(_HIDDEN + folder.name)
        try:
            folder.rename(hidden)
        except FileNotFoundError:
            return True
        except OSError as error:
            raise _stuck(folder, error) from None
        _delete(hidden)
        return True
    finally:
        os.close(held)


def _left_over(results: Path) -> list[Path]:
    """What a pruning that was killed had begun to delete."""
    try:
        return [
            each
            for each in results.glob(f"{_HIDDEN}*")
            if each.is_dir()
            and not each.is_symlink()
            and is_named_by_us(each.with_name(each.name.removeprefix(_HIDDEN)))
        ]
    except OSError:
        return []


def _delete(folder: Path) -> None:
    try:
        shutil.rmtree(folder)  # it removes links, and does not follow them
    except FileNotFoundError:
        pass
    except OSError as error:
        raise _stuck(folder, error) from None


def _stuck(folder: Path, error: OSError) -> Unavailable:
    return Unavailable(f"{folder} cannot be deleted ({error.strerror}: {error.filename or folder})")
