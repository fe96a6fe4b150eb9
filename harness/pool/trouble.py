"""What becomes of the server while the pool is in use: nothing, a NAT that forgets, or a crash of its machine.

The crash: the router forwards nothing more (the machine is dark: old connections and new ones meet silence), what the
servers have executed is asked for, and they are killed. After ``--down`` the old kernel has forgotten the connections
(tcp_orphan_retries=1: within 2 s), new servers listen on the same ports, and the router forwards again: what is still
written on an old connection is then answered with RST, as after a reboot. A third of the run has passed when it
strikes; a machine that is down for longer than the rest of it stays dead.
"""

import asyncio

from harness.events import Tell
from harness.labs.local import NetnsLab
from harness.pool.options import Asked
from harness.pool.room import Room

_FORWARDING = ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding")


async def prepare(lab: NetnsLab, wanted: Asked) -> None:
    """Do what must be done before the first connection."""
    if wanted.server == "nat-forgot":
        await lab.path.masquerade(wanted.nat_s, wanted.on_expiry)


async def strike(lab: NetnsLab, wanted: Asked, rooms: list[Room], tell: Tell) -> None:
    """Make the trouble that comes while the pool is in use."""
    if wanted.server != "crashed":
        return
    await asyncio.sleep(wanted.lasts_s / 3)
    await _forward(lab, False)
    tell("crashed")
    for room in rooms:
        await room.collect()
        await room.kill()
    await asyncio.sleep(wanted.down_s)
    for room in rooms:
        await room.serve()
    await _forward(lab, True)
    tell("replaced")


async def _forward(lab: NetnsLab, on: bool) -> None:
    for name in _FORWARDING:
        await lab.ground.call(lab.ground.lab.router.set_sysctl, name, int(on))
