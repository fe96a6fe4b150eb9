"""What a host is, as far as it decides whether and how it can be used.

Sources: proc(5) (CapEff in /proc/PID/status, /proc/PID/environ), capability numbers of <linux/capability.h>, addresses
and routes by rtnetlink(7).
"""

from __future__ import annotations

import os
import socket
import struct
import sys
from collections.abc import Iterator
from typing import Any

from harness.endpoints import jiffies
from harness.endpoints.guard import systemd_runs
from harness.endpoints.loop import now
from harness.endpoints.netlink import Netlink, attributes

_CAP_NET_ADMIN, _CAP_NET_RAW = 12, 13
_NLM_F_REQUEST, _NLM_F_DUMP = 0x1, 0x300
_RTM_NEWADDR, _RTM_GETADDR, _RTM_NEWROUTE, _RTM_GETROUTE = 20, 22, 24, 26
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_RTA_DST, _RTA_OIF = 1, 4
_RT_SCOPE_LINK = 253
_HEADER = struct.Struct("=IHHII")
_FAMILIES = {socket.AF_INET: 4, socket.AF_INET6: 6}
_MOST_PARENTS = 32


def facts() -> dict[str, Any]:
    """Everything. Takes up to 60 ms, for the calibration of the jiffy clock."""
    name = os.uname()
    hz = jiffies.discover()
    clock = None if hz.hz is None else jiffies.jiffy_clock(hz.hz)
    connection = ssh_connection()
    capabilities = effective_capabilities()
    netlink = Netlink(socket.NETLINK_ROUTE)
    try:
        found = list(addresses(netlink))
        device = None if connection is None else route_device(netlink, connection.split()[0])
    finally:
        netlink.close()
    return {
        "python": sys.version.split()[0],
        "kernel": name.release,
        "machine": name.machine,
        "byteorder": sys.byteorder,
        "uid": os.geteuid(),
        "can_admin": bool(capabilities >> _CAP_NET_ADMIN & 1),
        "can_raw": bool(capabilities >> _CAP_NET_RAW & 1),
        "ssh_connection": connection,
        "addresses": found,
        "indices": {device: index for index, device in socket.if_nameindex()},
        "route_device": device,
        "systemd": systemd_runs(),
        "hz": hz.hz,
        "hz_how": hz.how,
        "tick_ns": None if hz.hz is None else jiffies.tick_ns(hz.hz),
        "jiffy_offset_ticks": None if clock is None else clock.offset,
        "at": now(),
    }


def effective_capabilities() -> int:
    with open("/proc/self/status", encoding="ascii", errors="replace") as status:  # noqa: PTH123
        return next((int(line.split()[1], 16) for line in status if line.startswith("CapEff:")), 0)


def ssh_connection() -> str | None:
    """SSH_CONNECTION (ssh(1)): client's address and port, server's address and port; None outside of SSH.

    sudo takes it out of the environment; then it is looked for with the processes that started this one.
    """
    here = os.environ.get("SSH_CONNECTION")
    pid = os.getppid()
    for _ in range(_MOST_PARENTS):
        if here or pid <= 1:
            break
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:  # noqa: PTH123
                variables = file.read().split(b"\0")
            with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123
                pid = int(file.read().rpartition(b")")[2].split()[1])
        except OSError:
            return None
        here = next((each[15:].decode() for each in variables if each.startswith(b"SSH_CONNECTION=")), None)
    return here or None


def addresses(netlink: Netlink) -> Iterator[dict[str, Any]]:
    """Every address of this host but the link-local, with its device."""
    request = _HEADER.pack(24, _RTM_GETADDR, _NLM_F_REQUEST | _NLM_F_DUMP, 1, 0) + bytes(8)
    for answer in netlink.ask(request, dump=True).answers:
        family, prefix, _, scope, index = struct.unpack_from("=4BI", answer, _HEADER.size)
        if _HEADER.unpack_from(answer)[1] != _RTM_NEWADDR or family not in _FAMILIES or scope == _RT_SCOPE_LINK:
            continue
        values = dict(attributes(answer, _HEADER.size + 8))
        packed = values.get(_IFA_LOCAL, values.get(_IFA_ADDRESS))  # of a point-to-point link the first is our own
        if packed is not None:
            address = socket.inet_ntop(family, packed)
            device = socket.if_indextoname(index)
            yield {"device": device, "ipv": _FAMILIES[family], "address": address, "prefix": prefix}


def route_device(netlink: Netlink, address: str) -> str | None:
    """The device by which packets to ``address`` leave, None where there is no route."""
    address, _, device = address.partition("%")
    if device:  # a link-local address names it
        return device
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    packed = socket.inet_pton(family, address)
    route = struct.pack("=8BI", family, 8 * len(packed), 0, 0, 0, 0, 0, 0, 0)
    body = route + struct.pack("=HH", 4 + len(packed), _RTA_DST) + packed
    for answer in netlink.ask(
        _HEADER.pack(16 + len(body), _RTM_GETROUTE, _NLM_F_REQUEST, 1, 0) + body, dump=True
    ).answers:
        if _HEADER.unpack_from(answer)[1] == _RTM_NEWROUTE:
            index = dict(attributes(answer, _HEADER.size + 12)).get(_RTA_OIF)
            if index is not None:
                return socket.if_indextoname(struct.unpack("=I", index)[0])
    return None


def sysctl_path(name: str) -> str:
    """The file of a sysctl of this process's own network namespace. Raises ValueError: not a name."""
    if not name.replace(".", "").replace("_", "").replace("-", "").isalnum() or ".." in name:
        raise ValueError(f"not a sysctl: {name!r}")
    return "/proc/sys/" + name.replace(".", "/")


def read_sysctl(name: str) -> str:
    """What it prints, without the newline. Raises OSError."""
    with open(sysctl_path(name), encoding="ascii") as file:  # noqa: PTH123
        return " ".join(file.read().split())
