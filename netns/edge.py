"""Packet faults at the edge of a host: on its own device, for one connection, as requests that somebody else sends.

Where no router stands between two hosts, a fault goes here, on the side of the end that is to vanish. Three ways, tried
in this order: nftables' netdev hooks (nft(8); egress since Linux 5.16), its inet hooks, and tc-u32(8) filters under a
clsact qdisc. Each is bound to one connection: its addresses and its ports, so that all other traffic of the host, and
with it whatever carries these requests, is spared.
"""

import socket
from collections.abc import Callable
from typing import Literal, NamedTuple

from pyroute2.netlink import NETLINK_NETFILTER
from pyroute2.netlink.nfnetlink.nftsocket import NFPROTO_NETDEV

from netns import nft
from netns.errors import LabError
from netns.netlink import Request

Direction = Literal["arriving", "leaving"]

ETH_P = {4: 0x0800, 6: 0x86DD}
FAMILY = {4: socket.AF_INET, 6: socket.AF_INET6}
_ADDRESSES_AT = {4: 12, 6: 8}  # in the IP header: source, then destination
_REGISTER_LENGTH = 16


class Ends(NamedTuple):
    """One TCP connection as the host itself sees it: (address, port) of its own end and of the far one."""

    ipv: int
    local: tuple[str, int]
    remote: tuple[str, int]

    def arriving(self) -> tuple[bytes, bytes]:
        """Addresses and ports as they stand in a packet that comes in: source first."""
        return self._of(self.remote, self.local)

    def leaving(self) -> tuple[bytes, bytes]:
        return self._of(self.local, self.remote)

    def _of(self, source: tuple[str, int], target: tuple[str, int]) -> tuple[bytes, bytes]:
        family = FAMILY[self.ipv]
        addresses = socket.inet_pton(family, source[0]) + socket.inet_pton(family, target[0])
        return addresses, source[1].to_bytes(2, "big") + target[1].to_bytes(2, "big")


class Act(NamedTuple):
    """A fault as requests of a netlink protocol: what puts it, and what takes all of it back."""

    protocol: int
    do: Request
    undo: Request


class Loss(NamedTuple):
    """Which of the connection's packets vanish: of which direction, and how many of a hundred."""

    arriving: bool
    leaving: bool
    percent: float = 100.0


# Builds the fault ``name`` on ``device``.
Maker = Callable[[str, str, Ends, Loss], Act]


def netdev(name: str, device: str, ends: Ends, loss: Loss) -> Act:
    """On the device itself: a packet that arrives is gone before IP sees it, one that leaves before the queue does."""
    table = nft.Table(name, NFPROTO_NETDEV)
    return _nft(table, {"arriving": nft.INGRESS, "leaving": nft.EGRESS}, ends, loss, device)


def inet(name: str, device: str, ends: Ends, loss: Loss) -> Act:
    """In the host's IP layer, whatever the device."""
    table = nft.Table(name)
    return _nft(table, {"arriving": nft.LOCAL_IN, "leaving": nft.LOCAL_OUT}, ends, loss, None)


def _nft(table: nft.Table, hooks: dict[Direction, int], ends: Ends, loss: Loss, device: str | None) -> Act:
    if not 0 < loss.percent <= 100:
        raise LabError(f"a loss of {loss.percent} % cannot be had; more than 0 and up to 100 can")
    chance = [] if loss.percent == 100 else nft.match_chance(loss.percent)
    messages = [nft.new_table(table)]
    for direction, wanted, header in (
        ("arriving", loss.arriving, ends.arriving()),
        ("leaving", loss.leaving, ends.leaving()),
    ):
        if not wanted:
            continue
        messages.append(nft.new_chain(direction, hooks[direction], table=table, device=device))  # type: ignore[index]
        match = [*nft.match_ethertype(ETH_P[ends.ipv]), *nft.match_tcp(), *_match(ends.ipv, *header)]
        messages.append(nft.new_rule(direction, direction, match + chance + nft.drop(), table=table))
    return Act(NETLINK_NETFILTER, nft.batch(messages), nft.batch([nft.delete_table(table)]))


def _match(ipv: int, addresses: bytes, ports: bytes) -> list[nft.Expression]:
    at = _ADDRESSES_AT[ipv]
    found = []
    for start in range(0, len(addresses), _REGISTER_LENGTH):
        found += nft.match_bytes(nft.NETWORK_HEADER, at + start, addresses[start : start + _REGISTER_LENGTH])
    return found + nft.match_bytes(nft.TRANSPORT_HEADER, 0, ports)
