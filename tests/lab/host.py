"""The network of the machine itself, as far as a program could change it: what a run must leave as it was."""

import os
from pathlib import Path
from typing import Any

from pyroute2 import IPRoute
from pyroute2.nftables.main import NFTables

_SYSCTLS = Path("/proc/sys/net")
# Counters, and how long something is still valid: they move by themselves.
_MOVING = {"IFLA_STATS", "IFLA_STATS64", "IFLA_AF_SPEC", "IFA_CACHEINFO", "RTA_CACHEINFO", "NFTA_COUNTER_BYTES"}
_FRAME = {"header", "event", "state", "attrs"}
_COUNTERS = {"nf_conntrack_count"}


def network() -> dict[str, list[str]]:
    """Links, addresses, routes and rules, and everything of nftables where the tests may see it (as root)."""
    with IPRoute() as route:
        found = {
            "links": _texts(route.get_links()),
            "addresses": _texts(route.get_addr()),
            "routes": _texts(route.get_routes()),
            "rules": _texts(route.get_rules()),
        }
    if os.geteuid() == 0:
        with NFTables() as nft:
            found["tables"] = _texts(nft.get_tables())
            found["chains"] = _texts(nft.get_chains())
            found["nft rules"] = _texts(nft.get_rules())
    return found


def sysctls() -> dict[str, str]:
    """Every sysctl of the network that can be read."""
    found = {}
    for file in sorted(_SYSCTLS.rglob("*")):
        if file.is_file() and file.name not in _COUNTERS and os.access(file, os.R_OK):
            try:
                found[str(file.relative_to(_SYSCTLS))] = file.read_text()
            except OSError:
                continue  # it can only be written, or its device has no such thing
    return found


def _texts(messages: Any) -> list[str]:
    return sorted(repr(_settled(message)) for message in messages)


def _settled(value: Any) -> Any:
    """A message without what moves, and without the header that numbers the answers."""
    if isinstance(value, list):
        return [_settled(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    settled = {key: _settled(inner) for key, inner in value.items() if key not in _FRAME}
    settled["attrs"] = [(slot[0], _settled(slot[1])) for slot in value.get("attrs", ()) if slot[0] not in _MOVING]
    return settled
