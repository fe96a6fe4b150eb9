"""What a result was made on: kernel, HZ, clock, versions, and the sysctls that move TCP's timers.

Nothing here tells who ran it or where: no host name, no user name, no path. Sysctls: Documentation/networking/
ip-sysctl.rst; they belong to a network namespace, so ``read`` decides whose they are. Values are kept as printed.
"""

import os
import platform
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from harness.observe.jiffies import discover

_LIBRARIES = ("halfopen", "invoke", "msgspec", "paramiko", "pyroute2", "rich")
SYSCTLS = (
    "net/ipv4/tcp_keepalive_time",
    "net/ipv4/tcp_keepalive_intvl",
    "net/ipv4/tcp_keepalive_probes",
    "net/ipv4/tcp_retries1",
    "net/ipv4/tcp_retries2",
    "net/ipv4/tcp_syn_retries",
    "net/ipv4/tcp_synack_retries",
    "net/ipv4/tcp_syn_linear_timeouts",
    "net/ipv4/tcp_orphan_retries",
    "net/ipv4/tcp_rto_min_us",
    "net/ipv4/tcp_rto_max_ms",
    "net/ipv4/tcp_early_retrans",
    "net/ipv4/tcp_recovery",
    "net/ipv4/tcp_frto",
    "net/ipv4/tcp_mtu_probing",
    "net/ipv4/tcp_thin_linear_timeouts",
    "net/ipv4/tcp_timestamps",
    "net/ipv4/tcp_sack",
    "net/ipv4/tcp_fastopen",
    "net/ipv4/tcp_fin_timeout",
    "net/ipv4/tcp_max_orphans",
    "net/ipv4/tcp_invalid_ratelimit",
    "net/ipv4/tcp_challenge_ack_limit",
    "net/ipv4/tcp_congestion_control",
    "net/ipv4/tcp_no_metrics_save",
)
_CLOCKSOURCE = Path("/sys/devices/system/clocksource/clocksource0/current_clocksource")


def read_sysctl(name: str) -> str:
    """Return a sysctl of the caller's own network namespace, ``name`` written with slashes. Raises OSError."""
    return (Path("/proc/sys") / name).read_text()


def metadata(read: Callable[[str], str] = read_sysctl) -> dict[str, Any]:
    """Return what the machine is, for the record of a run; ``read`` gives a sysctl of the namespace that matters.

    A sysctl that this kernel does not have (``read`` raises OSError) is left out.
    """
    name = os.uname()
    hz = discover()
    return {
        "kernel": name.release,
        "uname": f"{name.sysname} {name.release} {name.version} {name.machine}",
        "machine": name.machine,
        "hz": hz.hz,
        "hz_how": hz.how,
        "clocksource": clocksource(),
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
        "libraries": {library: _version(library) for library in _LIBRARIES},
        "sysctls": sysctls(read),
    }


def sysctls(read: Callable[[str], str] = read_sysctl) -> dict[str, str]:
    """Return the sysctls that move TCP's timers, by their dotted names, as far as this kernel has them."""
    values: dict[str, str] = {}
    for name in SYSCTLS:
        try:
            values[name.replace("/", ".")] = " ".join(read(name).split())
        except OSError:
            continue
    return values


def clocksource() -> str | None:
    """Return what the kernel reads the time from ("tsc", "kvm-clock", ...), or None if it does not say."""
    try:
        return _CLOCKSOURCE.read_text().strip()
    except OSError:
        return None


def _version(library: str) -> str | None:
    try:
        return version(library)
    except PackageNotFoundError:
        return None
