"""The nftables messages that the faults are made of: <linux/netfilter/nf_tables.h>, in pyroute2's message classes.

pyroute2's own ``NFTables`` has no type for ports and one request per rule; here a fault is one batch, which the kernel
applies as a whole or not at all (net/netfilter/nfnetlink.c), and set keys are the bytes as they stand in the packet.
"""

import errno
import socket
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

from pyroute2.netlink import NETLINK_NETFILTER, NLM_F_ACK, NLM_F_APPEND, NLM_F_CREATE
from pyroute2.netlink.nfnetlink import NFNL_SUBSYS_NFTABLES, nfgen_msg
from pyroute2.netlink.nfnetlink import nftsocket as pr

from netns.errors import LabError
from netns.netlink import Kernel, Netlink, NetlinkRefusal, Request, encode

Message = tuple[Any, int, int]
Expression = dict[str, Any]


class Table(NamedTuple):
    """A table's name, and the family of packets that it meets: NFPROTO_INET is IPv4 and IPv6 alike."""

    name: str
    family: int = pr.NFPROTO_INET


# Of a lab's router, which has no other.
FAULTS = Table("faults")
_BATCH_BEGIN, _BATCH_END = 0x10, 0x11
_SUBSYSTEM = NFNL_SUBSYS_NFTABLES << 8
_CREATE = NLM_F_ACK | NLM_F_CREATE
GET_TABLE = _SUBSYSTEM | pr.NFT_MSG_GETTABLE

# Where packets are met (enum nf_inet_hooks) and in which order (enum nf_ip_hook_priorities).
LOCAL_IN, FORWARD, LOCAL_OUT, POST_ROUTING = 1, 2, 3, 4
# Of a device (enum nf_dev_hooks; egress since Linux 5.16).
INGRESS, EGRESS = 0, 1
FILTER_PRIORITY, SOURCE_NAT_PRIORITY = 0, 100

REGISTER, REGISTER_2 = pr.Regs.NFT_REG32_00, pr.Regs.NFT_REG32_01
NOT_EQUAL = pr.Cmp.NFT_CMP_NEQ
NETWORK_HEADER, TRANSPORT_HEADER = 1, 2
# `reject`: enum nft_reject_types, enum nft_reject_inet_code
REJECT_RST, REJECT_ICMPX = 1, 2
ICMPX_NO_ROUTE, ICMPX_HOST, ICMPX_ADMIN = 0, 2, 3
# `ct state`: NF_CT_STATE_BIT, <linux/netfilter/nf_conntrack_common.h>
CT_INVALID, CT_NEW = 1, 8


def open_nft() -> Netlink:
    """A netfilter socket of the calling thread's namespace. Raises LabError where the kernel has none."""
    try:
        return Netlink(NETLINK_NETFILTER)
    except LabError as error:
        raise LabError(
            f"packet faults need nf_tables: load its module with 'modprobe nf_tables' as root ({error})"
        ) from error


def batch(messages: Sequence[Message]) -> Request:
    """Messages that the kernel applies together."""
    return encode([_mark(_BATCH_BEGIN), *messages, _mark(_BATCH_END)])


def missing(refusal: NetlinkRefusal, what: str, modules: str) -> LabError:
    """The sentence for a refusal that means that the kernel lacks something; else the refusal itself."""
    lacking = (errno.ENOENT, errno.EOPNOTSUPP, errno.EPROTONOSUPPORT, errno.EAFNOSUPPORT)
    if refusal.errno not in lacking:
        return refusal
    return LabError(f"{what} needs kernel modules that are not there: as root, 'modprobe -a {modules}' ({refusal})")


def new_table(table: Table = FAULTS) -> Message:
    return _message(table, pr.nft_table_msg, pr.NFT_MSG_NEWTABLE, _CREATE, NFTA_TABLE_NAME=table.name)


def delete_table(table: Table = FAULTS) -> Message:
    return _message(table, pr.nft_table_msg, pr.NFT_MSG_DELTABLE, NLM_F_ACK, NFTA_TABLE_NAME=table.name)


def new_chain(
    name: str,
    hook: int,
    priority: int = FILTER_PRIORITY,
    kind: str = "filter",
    table: Table = FAULTS,
    device: str | None = None,
) -> Message:
    """A base chain: every packet that comes by ``hook`` passes through it, and goes on unless a rule says otherwise.

    ``device``: for a table of the family netdev, whose hooks are a device's.
    """
    attributes: list[tuple[str, Any]] = [("NFTA_HOOK_HOOKNUM", hook), ("NFTA_HOOK_PRIORITY", priority)]
    if device is not None:
        attributes.append(("NFTA_HOOK_DEV", device))
    return _message(
        table,
        pr.nft_chain_msg,
        pr.NFT_MSG_NEWCHAIN,
        _CREATE,
        NFTA_CHAIN_TABLE=table.name,
        NFTA_CHAIN_NAME=name,
        NFTA_CHAIN_HOOK={"attrs": attributes},
        NFTA_CHAIN_TYPE=kind,
    )


def delete_chain(name: str, table: Table = FAULTS) -> Message:
    return _message(
        table, pr.nft_chain_msg, pr.NFT_MSG_DELCHAIN, NLM_F_ACK, NFTA_CHAIN_TABLE=table.name, NFTA_CHAIN_NAME=name
    )


def new_set(name: str, number: int, key_length: int, table: Table = FAULTS) -> Message:
    """A set of keys of ``key_length`` bytes. ``number``: for reference from within the same batch."""
    return _message(
        table,
        pr.nft_set_msg,
        pr.NFT_MSG_NEWSET,
        _CREATE,
        NFTA_SET_TABLE=table.name,
        NFTA_SET_NAME=name,
        NFTA_SET_FLAGS=(),
        NFTA_SET_KEY_TYPE=pr.DATA_TYPE_INTEGER,
        NFTA_SET_KEY_LEN=key_length,
        NFTA_SET_ID=number,
    )


def add_elements(name: str, keys: Sequence[bytes], table: Table = FAULTS) -> Message:
    return _elements(pr.NFT_MSG_NEWSETELEM, _CREATE, name, keys, table)


def delete_elements(name: str, keys: Sequence[bytes], table: Table = FAULTS) -> Message:
    return _elements(pr.NFT_MSG_DELSETELEM, NLM_F_ACK, name, keys, table)


def new_rule(chain: str, name: str, expressions: Sequence[Expression], table: Table = FAULTS) -> Message:
    """Append a rule; ``name`` is its comment, by which its counter is found again."""
    return _message(
        table,
        pr.nft_rule_msg,
        pr.NFT_MSG_NEWRULE,
        _CREATE | NLM_F_APPEND,
        NFTA_RULE_TABLE=table.name,
        NFTA_RULE_CHAIN=chain,
        NFTA_RULE_EXPRESSIONS=list(expressions),
        NFTA_RULE_USERDATA=name,
    )


def flush_chain(chain: str, table: Table = FAULTS) -> Message:
    """Delete all rules of a chain."""
    return _message(
        table, pr.nft_rule_msg, pr.NFT_MSG_DELRULE, NLM_F_ACK, NFTA_RULE_TABLE=table.name, NFTA_RULE_CHAIN=chain
    )


def dropped(netlink: Kernel, table: Table = FAULTS) -> dict[str, int]:
    """Packets counted by each rule of the table, by the rule's name."""
    request, _, _ = _message(table, pr.nft_rule_msg, 0, 0, NFTA_RULE_TABLE=table.name)
    counts: dict[str, int] = {}
    for answer in netlink.dump(request, _SUBSYSTEM | pr.NFT_MSG_GETRULE):
        rule = pr.nft_rule_msg(bytes(answer))
        rule.decode()
        name = rule.get_attr("NFTA_RULE_USERDATA")
        for expression in rule.get_attr("NFTA_RULE_EXPRESSIONS") or ():
            if expression.get_attr("NFTA_EXPR_NAME") == "counter":
                packets = expression.get_attr("NFTA_EXPR_DATA").get_attr("NFTA_COUNTER_PACKETS")
                counts[name] = counts.get(name, 0) + packets
    return counts


# Expressions, in the order of nft(8): what is matched, then what is done.


def expression(kind: str, **attributes: Any) -> Expression:
    """One expression; attribute names are the kernel's, in lower case and without the prefix NFTA_<KIND>_."""
    prefix = {"numgen": "NG"}.get(kind, kind.upper())
    data = [(f"NFTA_{prefix}_{name.upper()}", value) for name, value in attributes.items()]
    return {"attrs": [("NFTA_EXPR_NAME", kind), ("NFTA_EXPR_DATA", {"attrs": data})]}


def load_meta(key: str, register: int = REGISTER) -> Expression:
    return expression("meta", key=pr.Meta[f"NFT_META_{key}"], dreg=register)


def load_payload(base: int, offset: int, length: int, register: int = REGISTER) -> Expression:
    return expression("payload", dreg=register, base=base, offset=offset, len=length)


def compare(value: bytes, operator: pr.Cmp = pr.Cmp.NFT_CMP_EQ) -> Expression:
    return expression("cmp", sreg=REGISTER, op=operator, data=_value(value))


def match_bytes(base: int, offset: int, value: bytes) -> list[Expression]:
    """Packets with these bytes there: up to 16, a register's length."""
    return [load_payload(base, offset, len(value)), compare(value)]


def match_ethertype(number: int) -> list[Expression]:
    """Packets of that protocol (ETH_P_*), which unlike ``meta nfproto`` a netdev table knows too."""
    return [load_meta("PROTOCOL"), compare(number.to_bytes(2, "big"))]


def match_tcp() -> list[Expression]:
    return [load_meta("L4PROTO"), compare(bytes([socket.IPPROTO_TCP]))]


def match_ct_state(bits: int) -> list[Expression]:
    """Packets whose connection tracking state is one of ``bits``."""
    mask, zero = bits.to_bytes(4, sys.byteorder), bytes(4)
    return [
        expression("ct", key=0, dreg=REGISTER),
        expression("bitwise", sreg=REGISTER, dreg=REGISTER, len=4, mask=_value(mask), xor=_value(zero)),
        compare(zero, NOT_EQUAL),
    ]


def match_index(key: str, index: int) -> list[Expression]:
    """Packets that came in by (IIF), or go out by (OIF), the interface with this index."""
    return [load_meta(key), compare(index.to_bytes(4, sys.byteorder))]


def match_longer(length: int) -> list[Expression]:
    """Packets of more than ``length`` bytes, IP header included."""
    # Compared byte by byte, so the number must be turned from the host's order to the network's.
    turn = expression("byteorder", sreg=REGISTER, dreg=REGISTER, op=1, len=4, size=4)
    return [load_meta("LEN"), turn, compare(length.to_bytes(4, "big"), pr.Cmp.NFT_CMP_GT)]


def match_chance(percent: float) -> list[Expression]:
    """``percent`` of all packets, at random, to a hundredth of a percent."""
    draw = expression("numgen", dreg=REGISTER, modulus=10_000, type=1, offset=0)
    turn = expression("byteorder", sreg=REGISTER, dreg=REGISTER, op=1, len=4, size=4)
    return [draw, turn, compare(round(percent * 100).to_bytes(4, "big"), pr.Cmp.NFT_CMP_LT)]


def lookup(name: str, *, absent: bool = False) -> Expression:
    """Packets whose key is in the set; with ``absent``, whose key is not."""
    flags = {"flags": ("NFT_LOOKUP_F_INV",)} if absent else {}
    return expression("lookup", set=name, sreg=REGISTER, **flags)


def drop() -> list[Expression]:
    """Count the packet and drop it."""
    return [_counter(), _verdict(0)]


def accept() -> Expression:
    """Let the packet leave this chain; other chains see it as ever."""
    return _verdict(1)


def reject(kind: int, code: int = 0) -> list[Expression]:
    """Count the packet, drop it, and answer its sender."""
    return [_counter(), expression("reject", type=kind, icmp_code=code)]


def _verdict(code: int) -> Expression:
    verdict = {"attrs": [("NFTA_DATA_VERDICT", {"attrs": [("NFTA_VERDICT_CODE", code)]})]}
    return expression("immediate", dreg=0, data=verdict)


def _counter() -> Expression:
    return expression("counter", bytes=0, packets=0)


def _value(value: bytes) -> dict[str, Any]:
    return {"attrs": [("NFTA_DATA_VALUE", value)]}


def _elements(kind: int, flags: int, name: str, keys: Sequence[bytes], table: Table) -> Message:
    elements = [{"attrs": [("NFTA_SET_ELEM_KEY", _value(key))]} for key in keys]
    return _message(
        table,
        pr.nft_set_elem_list_msg,
        kind,
        flags,
        NFTA_SET_ELEM_LIST_TABLE=table.name,
        NFTA_SET_ELEM_LIST_SET=name,
        NFTA_SET_ELEM_LIST_ELEMENTS=elements,
    )


def _message(table: Table, message_class: Any, kind: int, flags: int, **attributes: Any) -> Message:
    message = message_class()
    message["nfgen_family"] = table.family
    message["attrs"] = list(attributes.items())
    return message, _SUBSYSTEM | kind, flags


def _mark(kind: int) -> Message:
    message = nfgen_msg()
    message["res_id"] = NFNL_SUBSYS_NFTABLES
    return message, kind, 0
