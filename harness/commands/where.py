"""Where trials are to run: on machines that a file names, or in namespaces of this machine."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import Refused
from harness.spec.options import PLACE, parse

if TYPE_CHECKING:  # it brings the lab along, and listing the commands must be quick
    from harness.labs.place import Place


def place_of(typed: Mapping[str, Any]) -> "Place":
    """Return the place that was asked for. Raises Refused where the file of hosts is not as it should be."""
    file = parse(PLACE, typed)["hosts"]
    if file is None:
        from harness.labs.place import Namespaces

        return Namespaces()
    if not file:
        raise Refused("--hosts: name the file that says which machines to run on (docs/hosts.md)")
    from harness.labs.ssh.place import Machines
    from harness.spec.hosts import read_hosts

    return Machines(read_hosts(Path(file)))
