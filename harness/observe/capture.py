"""AF_PACKET sockets on the router's devices, read without ever waiting, handed over in the order of time.

How a frame and its instant are read is endpoints/frames.py's. Instants handed over are CLOCK_MONOTONIC seconds, related
to CLOCK_REALTIME at each batch. What the kernel dropped for want of room is counted: a capture with holes says so.
"""

import socket
from collections.abc import Callable, Iterable

from harness.endpoints.frames import SO_TIMESTAMPNS, Frame, clock_offset, read, statistics
from harness.observe.packets import SNAP_LENGTH, Packet, decode
from harness.observe.pcap import PcapWriter

# One batch is bounded, so that a flood cannot keep the loop from everything else.
_MOST_FRAMES, _MOST_ROUNDS = 4096, 64
_MOST_BATCHES = 64


class Capture:
    """Reads the given (device, socket) pairs and calls ``on_packet`` with what concerns TCP, oldest first.

    Hook every socket of ``sockets`` to a loop and call ``read_ready`` when one of them can be read. Nothing here
    waits, and ``on_packet`` must not read again. With ``keep`` every frame goes to that file too, as both devices saw
    it. The sockets stay the caller's to close.
    ``lost`` counts what the kernel dropped, ``frames`` what was read.
    """

    def __init__(
        self,
        sockets: Iterable[tuple[str, socket.socket]],
        on_packet: Callable[[Packet], None],
        keep: PcapWriter | None = None,
    ) -> None:
        self.sockets = list(sockets)
        self.frames = 0
        self._on_packet = on_packet
        self._keep = keep
        self._counts = {device: [0, 0] for device, _ in self.sockets}
        self._buffer = bytearray(SNAP_LENGTH)
        for _, sock in self.sockets:
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)

    def read_ready(self, ready: socket.socket | None = None) -> int:
        """Take what is there, on all the sockets whichever is ready, and hand it over; return how many frames.

        All of them, because an arrival and its departure lie on two sockets: reading until none has anything left,
        then sorting, is what puts them in order. A flood is taken in bounded batches; the loop calls again.
        """
        offset = clock_offset()
        batch: list[tuple[str, Frame]] = []
        share = _MOST_FRAMES // len(self.sockets)
        for _ in range(_MOST_ROUNDS):
            before = len(batch)
            for device, sock in self.sockets:
                batch += [(device, frame) for frame in read(sock, self._buffer, share)]
            if len(batch) == before or len(batch) >= _MOST_FRAMES:
                break
        batch.sort(key=lambda each: each[1].real_ns)
        for device, frame in batch:
            if self._keep is not None:
                self._keep.packet(frame.data, frame.real_ns, device, frame.outgoing, frame.length)
            packet = decode(frame.data, (frame.real_ns - offset) / 1e9, device, frame.outgoing)
            if packet is not None:
                self._on_packet(packet)
        if self._keep is not None:
            self._keep.flush()
        self.frames += len(batch)
        return len(batch)

    def drain(self) -> int:
        """Take all that was captured up to now, whatever its amount, but no more than 64 batches; return how many."""
        taken = 0
        for _ in range(_MOST_BATCHES):
            size = self.read_ready()
            taken += size
            if size == 0:
                break
        return taken

    @property
    def lost(self) -> int:
        """How many packets the kernel had no room for, so far (PACKET_STATISTICS)."""
        for device, sock in self.sockets:
            received, dropped = statistics(sock)
            self._counts[device][0] += received
            self._counts[device][1] += dropped
        return sum(dropped for _, dropped in self._counts.values())

    def finish(self) -> int:
        """Read what is left, write the counts to the file; return how many packets were lost in all."""
        self.drain()
        lost = self.lost
        if self._keep is not None:
            for device, (received, dropped) in self._counts.items():
                self._keep.statistics(device, received, dropped)
            self._keep.flush()
        return lost
