"""Which packets a router's faults are about, where the router has other packets too: those between two addresses.

Of each chain the first rules let all others pass untouched.
"""

import socket
from collections.abc import Mapping
from typing import NamedTuple

from netns import nft

_FAMILY = {4: socket.AF_INET, 6: socket.AF_INET6}
_NFPROTO = {4: b"\x02", 6: b"\x0a"}
# In the IP header: where the two addresses begin, source first, and how long one is.
_AT, _LENGTH = {4: 12, 6: 8}, {4: 4, 6: 16}
_REGISTER_LENGTH = 4


class Between(NamedTuple):
    """The data addresses of client and server, by IP version."""

    client: Mapping[int, str]
    server: Mapping[int, str]

    @property
    def versions(self) -> list[int]:
        return sorted(self.client.keys() & self.server.keys())

    def new_sets(self, table: nft.Table) -> list[nft.Message]:
        """What ``spare_others`` looks addresses up in."""
        messages = []
        for ipv in self.versions:
            client, server = (socket.inet_pton(_FAMILY[ipv], each[ipv]) for each in (self.client, self.server))
            messages += [
                nft.new_set(_name(ipv), ipv, 2 * _LENGTH[ipv], table),
                nft.add_elements(_name(ipv), [client + server, server + client], table),
            ]
        return messages

    def spare_others(self, chain: str, table: nft.Table) -> list[nft.Message]:
        """Rules for the head of a chain: whatever is not between the two leaves it."""
        rules = []
        for ipv in (4, 6):
            match = match_version(ipv)
            if ipv in self.versions:
                length = _LENGTH[ipv]
                second = nft.REGISTER + length // _REGISTER_LENGTH
                match += [
                    nft.load_payload(nft.NETWORK_HEADER, _AT[ipv], length),
                    nft.load_payload(nft.NETWORK_HEADER, _AT[ipv] + length, length, second),
                    nft.lookup(_name(ipv), absent=True),
                ]
            rules.append(nft.new_rule(chain, "others", [*match, nft.accept()], table))
        return rules

    def match_from_server(self, ipv: int) -> list[nft.Expression]:
        """Packets whose source is the server, whatever they are for."""
        address = socket.inet_pton(_FAMILY[ipv], self.server[ipv])
        return match_version(ipv) + nft.match_bytes(nft.NETWORK_HEADER, _AT[ipv], address)


def match_version(ipv: int) -> list[nft.Expression]:
    return [nft.load_meta("NFPROTO"), nft.compare(_NFPROTO[ipv])]


def _name(ipv: int) -> str:
    return f"between-{ipv}"
