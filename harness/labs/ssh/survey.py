"""What is asked of machines before an experiment: privilege, data addresses, devices, kernel, and whether they reach
each other. Raises Unavailable.
"""

import asyncio
import contextlib
import ipaddress
from collections.abc import Mapping
from typing import Any

from harness.errors import Unavailable
from harness.labs.agent import EndpointGone
from harness.labs.ssh.host import SshHost
from harness.observe.jiffies import Jiffies
from harness.predict.situation import Kernel

_USUAL_HZ = 250
_REACHED_WITHIN_S = 5.0


def check_privilege(host: SshHost) -> None:
    """Faults and sock_diag need CAP_NET_ADMIN, the tap CAP_NET_RAW (capabilities(7))."""
    for fact, capability in (("can_admin", "CAP_NET_ADMIN"), ("can_raw", "CAP_NET_RAW")):
        if not host.facts[fact]:
            raise Unavailable(
                f"{host.asked.name_typed}: the agent has no {capability}; log in as root, or say how to become root:"
                f' become = "sudo -n" under [{host.name}]'
            )


def data_path(client: SshHost, server: SshHost, versions: list[int]) -> None:
    """Settle both hosts' data addresses and devices, and that they have what the trials need."""
    for host in (client, server):
        _settle(host)
    for host, peer in ((client, server), (server, client)):
        host.peer_addresses = peer.addresses
        for ipv in versions:
            host.address(ipv)


def _settle(host: SshHost) -> None:
    asked, who = host.asked, host.asked.name_typed
    has = [(each["device"], each["ipv"], each["address"]) for each in host.facts["addresses"]]
    if asked.device is not None:
        host.device = asked.device
        host.addresses = {ipv: address for device, ipv, address in reversed(has) if device == asked.device}
        if not host.addresses:
            known = ", ".join(sorted({device for device, _, _ in has})) or "none"
            raise Unavailable(f"{who}: the device {asked.device} is not there or has no address; with one: {known}")
        return
    devices = set()
    for text in asked.addresses:
        wanted = ipaddress.ip_address(text)
        found = [device for device, _, address in has if ipaddress.ip_address(address) == wanted]
        if not found:
            known = ", ".join(sorted(address for _, _, address in has)) or "none"
            raise Unavailable(f"{who}: {text} is not one of its addresses; it has {known}")
        devices.add(found[0])
        host.addresses[wanted.version] = text
    if len(devices) > 1:
        raise Unavailable(f"{who}: its data addresses are on several devices ({', '.join(sorted(devices))}); give one")
    (host.device,) = devices


def kernel_of(facts: Mapping[str, Any]) -> Kernel:
    """Return a host's kernel from its agent's facts."""
    hz = facts["hz"] or _USUAL_HZ
    offset = facts["jiffy_offset_ticks"]
    if offset is not None:
        offset = Jiffies(hz, facts["tick_ns"], offset).offset_at(facts["at"])
    return Kernel(hz=hz, jiffy_offset=offset, version=facts["kernel"])


async def check_reach(client: SshHost, server: SshHost, versions: list[int]) -> None:
    """Have the client connect to the server once over each IP version that will be needed."""
    for ipv in versions:
        await _reach(client, server, ipv)


async def _reach(client: SshHost, server: SshHost, ipv: int) -> None:
    address = server.address(ipv)
    ends = [(host, await host.agent.endpoint("main"), f"reach{ipv}") for host in (client, server)]
    (_, asking, conn), (_, answering, _) = ends
    listening = await answering.ask("listen", conn=conn, host=address)
    try:
        await asking.ask("bind", conn=conn, host=client.address(ipv))
        async with asyncio.timeout(_REACHED_WITHIN_S):
            said = await asking.ask("connect", conn=conn, host=address, port=listening["port"])
        why = said.get("sign")
    except TimeoutError:
        why = f"no answer within {_REACHED_WITHIN_S:g} s"
    finally:
        for _, endpoint, _ in ends:
            with contextlib.suppress(EndpointGone):
                await endpoint.ask("close", conn=conn, how="vanish")
    if why is not None:
        raise Unavailable(
            f"{client.asked.name_typed} cannot reach {server.asked.name_typed} at {address} over TCP ({why});"
            " is a firewall between them, or are these addresses of two networks?"
        )
