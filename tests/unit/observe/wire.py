"""A router that is only told of: says what passed and what did not, as packets with instants."""

from harness.observe.packets import Packet
from harness.observe.trace import FlowKey, Trace

PORTS = {"client": 40000, "server": 7000}
ADDRESSES = {"client": "198.18.1.2", "server": "198.18.2.2"}
TRANSIT_S = 0.00002


class Wire:
    """Feeds a trace: ``send`` for what the router forwards, ``lose`` for what it drops, ``inject`` for its own word."""

    def __init__(self, sink=None):
        self.trace = Trace(FlowKey(40000, 7000, 4))
        self.feed = sink or self.trace.feed
        self.now = 100.0

    def packet(self, sender, outgoing, at, **fields):
        receiver = "server" if sender == "client" else "client"
        device = f"r-{receiver if outgoing else sender}"
        fields = {"sport": PORTS[sender], "dport": PORTS[receiver], "flags": ".", "window": 500} | fields
        return Packet(at, device, outgoing, 4, ADDRESSES[sender], ADDRESSES[receiver], **fields)

    def lose(self, sender, **fields):
        self.now += 1
        return self.feed(self.packet(sender, False, self.now, **fields))

    def send(self, sender, **fields):
        segment = self.lose(sender, **fields)
        self.now += TRANSIT_S
        assert self.feed(self.packet(sender, True, self.now, **fields)) is segment
        return segment

    def inject(self, sender, **fields):
        self.now += 1
        return self.feed(self.packet(sender, True, self.now, **fields))

    def handshake(self, client=1000, server=5000):
        c1, s1 = (client + 1) & 0xFFFFFFFF, (server + 1) & 0xFFFFFFFF
        segments = [
            self.send("client", seq=client, flags="S"),
            self.send("server", seq=server, ack=c1, flags="SA"),
            self.send("client", seq=c1, ack=s1),
        ]
        return [segment.role for segment in segments]
