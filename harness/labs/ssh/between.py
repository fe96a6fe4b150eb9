"""Where the router stands: which of its devices is the client's side, which the server's, and whether it forwards."""

import ipaddress
from collections.abc import Mapping, Sequence

from harness.errors import Unavailable
from harness.labs.ssh.host import SshHost
from harness.labs.ssh.packets import DEVICES

_FORWARDING = {4: "net.ipv4.ip_forward", 6: "net.ipv6.conf.all.forwarding"}


def devices_between(router: SshHost, client: SshHost, server: SshHost, versions: Sequence[int]) -> dict[str, str]:
    """Return the router's two devices, by what packets call them. Raises Unavailable."""
    found = {DEVICES[host.name]: _toward(router, host, versions) for host in (client, server)}
    if len(set(found.values())) == 1:
        device = next(iter(found.values()))
        raise Unavailable(
            f"{router.asked.name_typed}: client and server are both on its {device}, so nothing between them goes"
            " through it; leave [router] out, or give data addresses in different networks"
        )
    return found


async def check_forwarding(router: SshHost, versions: Sequence[int]) -> None:
    """Raises Unavailable where the router forwards nothing."""
    for ipv in versions:
        name = _FORWARDING[ipv]
        if not await router.sysctl(name, missing=0):
            raise Unavailable(
                f"{router.asked.name_typed}: it does not forward IPv{ipv} ({name} is 0);"
                f" as root there: sysctl -w {name}=1"
            )


def _toward(router: SshHost, host: SshHost, versions: Sequence[int]) -> str:
    """The device whose network has the host's data address."""
    devices = set()
    for ipv in versions:
        device = nearest(router.facts["addresses"], host.address(ipv))
        if device is None:
            has = ", ".join(f"{each['address']}/{each['prefix']}" for each in router.facts["addresses"])
            raise Unavailable(
                f"{router.asked.name_typed}: none of its networks has the {host.name}'s data address"
                f" {host.address(ipv)}; it has {has or 'no address'}"
            )
        devices.add(device)
    if len(devices) > 1:
        raise Unavailable(
            f"{router.asked.name_typed}: the {host.name}'s data addresses are on several of its devices"
            f" ({', '.join(sorted(devices))}); one at a time can be tested: --ipv 4 or --ipv 6"
        )
    (device,) = devices
    return device


def nearest(addresses: Sequence[Mapping[str, object]], wanted: str) -> str | None:
    """The device with the smallest network that has an address ``wanted``, of an agent's ``addresses``."""
    networks = [
        (ipaddress.ip_interface(f"{each['address']}/{each['prefix']}").network, str(each["device"]))
        for each in addresses
    ]
    address = ipaddress.ip_address(wanted)
    fitting = [(network.prefixlen, device) for network, device in networks if address in network]
    return max(fitting)[1] if fitting else None
