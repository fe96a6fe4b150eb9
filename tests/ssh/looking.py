"""What is seen of a host from within its network namespace: its packet filter and its queues."""

from pyroute2.iproute import IPRoute
from pyroute2.nftables.main import NFTables

_ANY = 0  # NFPROTO_UNSPEC; pyroute2 asks for IPv4's alone unless told
_FAMILIES = {1: "inet", 2: "ip", 3: "arp", 5: "netdev", 7: "bridge", 10: "ip6"}


def tables() -> list[str]:
    """Every nftables table: family and name."""
    with NFTables(nfgen_family=_ANY) as nft:
        return sorted(
            f"{_FAMILIES.get(table['nfgen_family'], table['nfgen_family'])} {table.get_attr('NFTA_TABLE_NAME')}"
            for table in nft.get_tables()
        )


def qdiscs() -> list[str]:
    """Every queueing discipline: kind and device."""
    with IPRoute() as route:
        names = {link["index"]: link.get_attr("IFLA_IFNAME") for link in route.get_links()}
        return sorted(f"{qdisc.get_attr('TCA_KIND')} {names[qdisc['index']]}" for qdisc in route.get_qdiscs())
