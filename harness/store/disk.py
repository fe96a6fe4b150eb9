"""What runs take on the disk, in bytes that their removal would free (allocated blocks), and how that is written.

Sizes for people are decimal: 1 kB is 1000 bytes, as on the label of a disk.
"""

import os
import re
from pathlib import Path

from harness.errors import Refused
from harness.store.find import runs

_BLOCK = 512  # the unit of st_blocks, whatever the file system's own is: stat(2)
_UNITS = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([kmgt]?i?b?)", re.IGNORECASE)


def disk_use(folder: Path) -> int:
    """Return what is below ``folder``, in bytes. Links are not followed; what vanishes meanwhile counts nothing."""
    total = 0
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                try:
                    total += entry.stat(follow_symlinks=False).st_blocks * _BLOCK
                    if entry.is_dir(follow_symlinks=False):
                        total += disk_use(Path(entry.path))
                except OSError:
                    continue
    except OSError:
        pass
    return total


def disk_line(folder: Path) -> str:
    """Return the line that a runner says at its end: what this run takes, and what all of its neighbours do."""
    found = runs(folder.parent)
    total = sum(disk_use(each) for each in found)
    many = f"; {len(found)} runs take {format_size(total)} (invoke prune)" if len(found) > 1 else ""
    return f"{format_size(disk_use(folder))} in {folder}{many}"


def format_size(size: float) -> str:
    """Return a size for a person: 940 -> '940 B', 2_345_678 -> '2.3 MB'."""
    unit = next((unit for unit, factor in _UNITS.items() if size < 999.5 * factor), "TB")
    number = size / _UNITS[unit]
    return f"{number:.1f} {unit}" if unit != "B" and number < 99.95 else f"{number:.0f} {unit}"


def parse_size(text: str, what: str) -> int:
    """Return bytes from 500MB, 1.5GB, 64MiB or a bare number of bytes. Raises Refused."""
    found = _SIZE.fullmatch(text.strip())
    if not found:
        raise Refused(f"{what}: {text!r} is no size; write 500kB, 100MB or 1.5GB")
    unit = found[2].lower()
    base = 1024 if "i" in unit else 1000
    power = "bkmgt".index(unit[0]) if unit and unit[0] != "i" else 0
    return round(float(found[1]) * float(base**power))
