"""What the program uses of a machine: the list, with what is lost without each and how to get it."""

from typing import NamedTuple

import msgspec


class Finding(NamedTuple):
    """``present`` None: it could not be tried. ``how``: what was found, or the kernel's refusal.

    ``get``: how to get it, where the refusal itself tells it better than the list below.
    """

    present: bool | None
    how: str
    get: str | None = None


class Capability(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that may be missing. ``required``: without it nothing can be measured on this machine."""

    name: str
    present: bool | None = None
    how: str = ""
    lost: str
    get: str
    required: bool = False

    def with_finding(self, finding: Finding) -> "Capability":
        """Return it as it was found on this machine."""
        get = self.get if finding.get is None else finding.get
        return msgspec.structs.replace(self, present=finding.present, how=finding.how, get=get)


def _c(name: str, lost: str, get: str, *, required: bool = False) -> Capability:
    return Capability(name=name, lost=lost, get=get, required=required)


_NAMESPACES = "run as root, or let users have namespaces: sysctl -w user.max_user_namespaces=10000"
_LAB = "the lab on this machine (hosts over SSH and predictions remain)"

ALL = (
    _c("Python", "everything", "Python 3.11 or later", required=True),
    _c("root or user namespaces", _LAB, _NAMESPACES, required=True),
    _c("private namespaces", _LAB, _NAMESPACES, required=True),
    _c("veth", _LAB, "a kernel with CONFIG_VETH; as root: modprobe veth", required=True),
    _c(
        "nftables",
        "the faults that drop packets in the router, which is most of them",
        "a kernel with CONFIG_NF_TABLES_INET; as root: modprobe nf_tables",
        required=True,
    ),
    _c(
        "sock_diag",
        "the proof: the survivor's socket state and which of its timers is armed",
        "a kernel with CONFIG_INET_TCP_DIAG; as root: modprobe tcp_diag",
        required=True,
    ),
    _c(
        "AF_PACKET",
        "the packets on the router: probes and drops cannot be shown, nor silence proved",
        "a kernel with CONFIG_PACKET; as root: modprobe af_packet",
        required=True,
    ),
    _c("TCP_USER_TIMEOUT", "the user timeout setting", "Linux 2.6.37 or later"),
    _c("IPv6", "experiments with ipv 6", "a kernel with CONFIG_IPV6, booted without ipv6.disable=1"),
    _c(
        "conntrack",
        "the fault expire-nat",
        "a kernel with CONFIG_NF_CT_NETLINK and CONFIG_NFT_MASQ; as root: modprobe nf_conntrack_netlink nft_masq",
    ),
    _c("TCP_REPAIR", "the faults reboot-client and reboot-server", "a kernel with CONFIG_CHECKPOINT_RESTORE"),
    _c("TCP_RTO_MAX_MS", "the RTO max setting", "Linux 6.15 or later"),
    _c(
        "netem",
        "delay, jitter and reordering on the links; no fault of the catalogue needs it",
        "a kernel with CONFIG_NET_SCH_NETEM; as root: modprobe sch_netem (on cloud kernels it comes in a package "
        "of extra modules)",
    ),
    _c(
        "tracefs",
        "the kernel's own word on when the connection died (kernel_after_s); the program's wake-up remains, "
        "0.2 to 2 ms later",
        "run as real root (not in a container), on a kernel with CONFIG_FTRACE",
    ),
    _c("HZ", "predictions: every one of them depends on it", "state it: HALFOPEN_HZ=250", required=True),
    _c(
        "jiffy clock",
        "exact predictions (exact_s); the interval remains",
        "a quieter machine, or real root, who may read the kernel's timer list",
    ),
)
