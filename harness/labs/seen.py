"""A socket as a host's kernel tells of it, in the words of the protocols."""

from harness.labs.protocols import SocketSeen
from netns.sockets import SocketState


def seen(found: SocketState) -> SocketSeen:
    return SocketSeen(
        state=found.state,
        timer=found.timer,
        timer_expires_s=found.timer_expires_s,
        retransmits=found.retransmits,
        rqueue=found.rqueue,
        wqueue=found.wqueue,
        owned=found.inode != 0,
    )
