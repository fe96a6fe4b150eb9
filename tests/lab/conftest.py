"""Somebody else to run the program as, and a folder that is theirs."""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import pytest

from tests.lab.program import ROOT

_NOBODY = "65534"
# Python, its packages and the program may lie where only root can go: in a private mount namespace they lie in a
# folder that everybody can read, and nothing of it is left when the command ends. $1 is the folder, $2 whom to be.
_BECOME_NOBODY = """
set -eu
folder=$1 who=$2; shift 2
mount --bind "$BASE" "$folder/python"
mount --bind "$PACKAGES" "$folder/packages"
mount --bind "$CHECKOUT" "$folder/checkout"
cd "$folder/checkout"
# A Python with a shared library of its own may look for it where it was built.
export LD_LIBRARY_PATH="$folder/python/lib"
export HOME="$folder/home" PYTHONPATH="$folder/packages:$folder/checkout" PYTHONDONTWRITEBYTECODE=1
exec setpriv --reuid "$who" --regid "$who" --clear-groups "$@"
"""


class Ordinary(msgspec.Struct, frozen=True):
    """An ordinary user. ``home``: a folder of theirs. ``becoming`` runs a command as them; ``python``: as they call it.

    Where the tests run as an ordinary user, that is who it is.
    """

    home: Path
    becoming: Sequence[str]
    python: str

    def through(self, *wrapper: str) -> tuple[str, ...]:
        """What runs Python as this user, within ``wrapper``: a command that takes a command."""
        return (*self.becoming, *wrapper, self.python)


@pytest.fixture(scope="session")
def ordinary() -> Iterator[Ordinary]:
    folder = Path(tempfile.mkdtemp(prefix="halfopen-ordinary-"))
    try:
        yield _nobody(folder) if os.geteuid() == 0 else Ordinary(folder, (), sys.executable)
    finally:
        shutil.rmtree(folder)


def _nobody(folder: Path) -> Ordinary:
    folder.chmod(0o755)
    for name in ("python", "packages", "checkout", "home"):
        (folder / name).mkdir()
    os.chown(folder / "home", int(_NOBODY), int(_NOBODY))
    base = Path(sys.base_prefix)
    places = {"BASE": base, "PACKAGES": Path(msgspec.__file__).parents[1], "CHECKOUT": ROOT}
    becoming = (
        *("env", *(f"{name}={place}" for name, place in places.items())),
        *("unshare", "--mount", "sh", "-c", _BECOME_NOBODY, "become", str(folder), _NOBODY),
    )
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    user = Ordinary(folder / "home", becoming, str(folder / "python" / "bin" / version))
    with contextlib.suppress(FileNotFoundError):
        done = subprocess.run([*user.through(), "-c", "import invoke, harness"], capture_output=True, check=False)
        if done.returncode == 0:
            return user
        pytest.skip(f"nobody cannot run Python here: {done.stderr.decode().strip()}")
    pytest.skip("unshare(1) and setpriv(1) of util-linux are missing: nobody cannot run the program")
