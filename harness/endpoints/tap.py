"""Packet sockets on a host's devices: packet(7). What they see of the watched ports is told in order of time.

A frame is told as [device's label, outgoing, at, length, base64]: ``at`` in CLOCK_MONOTONIC nanoseconds, ``length`` of
the whole frame, of which the first 256 bytes are told, from the Ethernet header on; where the device has none (a
tunnel), one of zeros stands before it.
"""

from __future__ import annotations

import base64
import fcntl
import select
import socket
import struct
from collections.abc import Callable
from typing import Any, NamedTuple

from harness.endpoints import flows, frames
from harness.endpoints.loop import Loop

SNAP_LENGTH = 256
_ETH_P_ALL = 0x0003
_SO_RCVBUFFORCE = 33
_BUFFER_BYTES = 64 << 20
_SIOCGIFHWADDR = 0x8927  # netdevice(7)
_ARPHRD_ETHER, _ARPHRD_LOOPBACK = 1, 772
_ETHERNET = 14
# One batch is bounded, so that a flood cannot keep the loop from everything else.
_MOST_FRAMES, _MOST_ROUNDS, _MOST_BATCHES = 256, 64, 4096


class _Device(NamedTuple):
    label: str
    sock: socket.socket
    link: int  # bytes before the IP header


class Tap:
    """``tell(frames, lost)`` with each batch; ``lost``: how many packets the kernel had no room for so far.

    Raises OSError: no such device, no right to CAP_NET_RAW.
    """

    def __init__(
        self, loop: Loop, devices: dict[str, str], ports: list[int], tell: Callable[[list[list[Any]], int], None]
    ) -> None:
        self._loop, self._tell = loop, tell
        self._ports = set(ports)
        self._buffer = bytearray(SNAP_LENGTH)
        self._lost = 0
        self._devices: list[_Device] = []
        try:
            for label, name in devices.items():
                self._devices.append(_open(label, name, self._ports))
        except BaseException:
            self.close()
            raise
        for device in self._devices:
            loop.watch(device.sock.fileno(), select.EPOLLIN, self._ready)

    def watch(self, port: int) -> None:
        """When this returns every packet of the port is captured."""
        self._change(self._ports | {port})

    def unwatch(self, port: int) -> None:
        self.drain()
        self._change(self._ports - {port})

    def _change(self, ports: set[int]) -> None:
        self._ports = ports
        for _, sock, link in self._devices:
            flows.attach(sock, flows.program(ports, link))

    def drain(self) -> int:
        """Tell of all that was captured up to now, whatever its amount; return how many packets were lost so far."""
        for _ in range(_MOST_BATCHES):
            if not self._batch():
                break
        return self._lost

    def close(self) -> None:
        for _, sock, _ in self._devices:
            self._loop.forget(sock.fileno())
            sock.close()
        self._devices = []

    def release(self) -> None:
        """In a child of the agent, which has no part in the loop: hold nothing open."""
        for _, sock, _ in self._devices:
            sock.close()

    def _ready(self, _event: int) -> None:
        self._batch()

    def _batch(self) -> int:
        """Take what is there, on all the sockets whichever is ready, and tell it; return how many frames.

        All of them, because an arrival and its departure lie on two sockets: reading until none has anything left,
        then sorting, is what puts them in order.
        """
        offset = frames.clock_offset()
        share = max(1, _MOST_FRAMES // max(1, len(self._devices)))
        taken: list[tuple[int, _Device, frames.Frame]] = []
        for _ in range(_MOST_ROUNDS):
            before = len(taken)
            for device in self._devices:
                for frame in frames.read(device.sock, self._buffer, share):
                    taken.append((frame.real_ns, device, frame))
            if len(taken) == before or len(taken) >= _MOST_FRAMES:
                break
        taken.sort(key=lambda each: each[0])
        told = [
            [
                device.label,
                frame.outgoing,
                at - offset,
                frame.length + _ETHERNET - device.link,
                _text(frame, device.link),
            ]
            for at, device, frame in taken
            if flows.concerns(frame.data[device.link :], frame.protocol, self._ports)
        ]
        lost = sum(frames.statistics(device.sock)[1] for device in self._devices)
        self._lost += lost
        if told or lost:
            self._tell(told, self._lost)
        return len(taken)


def _text(frame: frames.Frame, link: int) -> str:
    data = frame.data if link else bytes(_ETHERNET - 2) + struct.pack("!H", frame.protocol) + frame.data
    return base64.b64encode(data[:SNAP_LENGTH]).decode()


def _open(label: str, device: str, ports: set[int]) -> _Device:
    # Protocol 0: nothing is captured before bind, when the filter is in place.
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, 0)
    try:
        asked = struct.pack("16s24x", device.encode())
        kind = struct.unpack_from("=H", fcntl.ioctl(sock.fileno(), _SIOCGIFHWADDR, asked), 16)[0]
        link = _ETHERNET if kind in (_ARPHRD_ETHER, _ARPHRD_LOOPBACK) else 0
        try:
            sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER_BYTES)
        except PermissionError:
            # Only the host's own root may exceed net.core.rmem_max; the kernel then gives as much as that.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        sock.setsockopt(socket.SOL_SOCKET, frames.SO_TIMESTAMPNS, 1)
        flows.attach(sock, flows.program(ports, link))
        sock.bind((device, _ETH_P_ALL))
    except BaseException as error:
        sock.close()
        if isinstance(error, OSError):
            error.filename = device
        raise
    return _Device(label, sock, link)
