"""How long a router remembers one connection: an nftables object that a rule gives a connection when it begins.

<linux/netfilter/nf_tables.h> (NFT_OBJECT_CT_TIMEOUT), <linux/netfilter/nfnetlink_cttimeout.h>, nft(8) `ct timeout`; the
kernel needs CONFIG_NF_CONNTRACK_TIMEOUT. pyroute2 has no message for it. Times are whole seconds.
"""

from collections.abc import Mapping
from typing import Any

from pyroute2.netlink import NLM_F_ACK, NLM_F_CREATE, nla
from pyroute2.netlink.nfnetlink import NFNL_SUBSYS_NFTABLES, nfgen_msg
from pyroute2.netlink.nfnetlink.nftsocket import NFT_MSG_NEWOBJ

from netns import nft

_OBJECT_CT_TIMEOUT = 7
_TCP = 6
_STATES = (
    *("unspec", "syn_sent", "syn_recv", "established", "fin_wait", "close_wait", "last_ack", "time_wait", "close"),
    *("syn_sent2", "retrans", "unack"),
)


class _Object(nfgen_msg):
    prefix: Any = "NFTA_OBJ_"
    nla_map: Any = (
        ("NFTA_OBJ_UNSPEC", "none"),
        ("NFTA_OBJ_TABLE", "asciiz"),
        ("NFTA_OBJ_NAME", "asciiz"),
        ("NFTA_OBJ_TYPE", "be32"),
        ("NFTA_OBJ_DATA", "ct_timeout"),
    )

    class ct_timeout(nla):  # noqa: N801 - pyroute2 finds it by the name in nla_map
        nla_map: Any = (
            ("NFTA_CT_TIMEOUT_UNSPEC", "none"),
            ("NFTA_CT_TIMEOUT_L3PROTO", "be16"),
            ("NFTA_CT_TIMEOUT_L4PROTO", "uint8"),
            ("NFTA_CT_TIMEOUT_DATA", "states"),
        )

        class states(nla):  # noqa: N801
            nla_map: Any = tuple((name, "be32") for name in _STATES)


def new_timeout(name: str, seconds: Mapping[str, int], table: nft.Table) -> nft.Message:
    """TCP's timeouts by the state of the connection; those not given are the router's own."""
    message: Any = _Object()  # type: ignore[no-untyped-call]
    message["nfgen_family"] = table.family
    timeouts = {"attrs": list(seconds.items())}
    data = {"attrs": [("NFTA_CT_TIMEOUT_L4PROTO", _TCP), ("NFTA_CT_TIMEOUT_DATA", timeouts)]}
    message["attrs"] = [
        ("NFTA_OBJ_TABLE", table.name),
        ("NFTA_OBJ_NAME", name),
        ("NFTA_OBJ_TYPE", _OBJECT_CT_TIMEOUT),
        ("NFTA_OBJ_DATA", data),
    ]
    return message, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWOBJ, NLM_F_ACK | NLM_F_CREATE


def give(name: str) -> nft.Expression:
    """Give it to the packet's connection, if that is new."""
    return nft.expression("objref", imm_type=_OBJECT_CT_TIMEOUT, imm_name=name)
