"""What the predictor is told: the kernel, the settings, what the network and the peer do, and where the timers stood.

Instants (``_at``) are CLOCK_MONOTONIC seconds of the survivor's host; durations (``_s``) are seconds. Nothing here is
measured by the predictor: an experiment fills it in from what it observed, ``invoke predict`` from what is typical.
"""

from typing import Literal

import msgspec

from harness.spec.settings import Settings


class Kernel(msgspec.Struct, frozen=True, kw_only=True):
    """The survivor's kernel.

    ``jiffy_offset``: whole number C such that the jiffy counter at monotonic instant t is floor(t * hz) + C
    (ticks sit on multiples of the tick of CLOCK_MONOTONIC); None where it could not be calibrated.
    """

    hz: int = 250
    jiffy_offset: int | None = None
    version: str = "6.18"


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """What a fault does, seen from the survivor, from the instant it is in force.

    ``to_peer`` / ``to_survivor``: what happens to packets in that direction: "pass", "drop" (all vanish), "lossy"
    (``loss`` of them vanish at random), "reject" (the router answers ICMP unreachable instead of forwarding),
    "reset" (the router answers RST), "big-drop" (packets over the shrunken MTU vanish, without an ICMP error).
    ``peer``: what the other end does: "serves" (reads, answers), "hung" (its process stopped; its kernel still
    acknowledges), "full" (it never reads: the window closes; its kernel still acknowledges), "gone" (its host is up
    without the socket: it answers RST), "dead" (it sends nothing ever again), "fin" (it closed: FIN arrives),
    "rst" (it aborted: RST arrives).
    ``heals_after_s``: the network is whole again after so long; None: never.
    ``icmp``: host, net or admin, with "reject".
    ``place``: where packets vanish, if not on the path: in the survivor's own queueing discipline ("own-queue"), in its
    own filter ("own-filter"), at its own device, which is down ("own-link"), at the router's device toward the peer
    ("far-link"), or at the next hop, which answers no more ("next-hop").
    """

    to_peer: Literal["pass", "drop", "lossy", "reject", "reset", "big-drop"] = "pass"
    to_survivor: Literal["pass", "drop", "lossy"] = "pass"
    peer: Literal["serves", "hung", "full", "gone", "dead", "fin", "rst"] = "serves"
    heals_after_s: float | None = None
    loss: float = 0.0
    icmp: Literal["host", "net", "admin"] = "host"
    place: Literal["path", "own-queue", "own-filter", "own-link", "far-link", "next-hop"] = "path"


class Situation(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that decides when, how and whether the survivor notices.

    ``fault_at``: the fault came into force. For traffic "connect" it is the instant of connect().
    ``armed_at``: SO_KEEPALIVE was switched on (after TCP_KEEPIDLE, on an established connection).
    ``heard_at``: the last segment from the peer reached the survivor (before the fault).
    ``rto_s``: the survivor's RTO (TCP_INFO tcpi_rto) at the fault. ``srtt_s``: its smoothed round trip.
    ``trip_s``: the path's own round trip (tcpi_min_rtt), without the peer's delayed acknowledgments; None: as srtt_s.
    ``unacked_at``: the write whose data is never acknowledged was made ("write": one; "stream": the first of many);
    None where nothing is unacked. ``segments``: how many segments were in flight then (TLP differs for one).
    ``window_closed_at``: the peer's zero window reached the survivor, traffic "blocked".
    ``read_at``: the survivor began the read that its read deadline bounds (it begins anew with all data received).
    ``write_blocked_at``: the survivor began a write that cannot finish.
    ``ping_at``: the first heartbeat that gets no answer is due then.
    ``mapping_expires_at``: the NAT forgets the connection then unless a packet passes before (expire-nat).
    ``sent_at``: when the survivor's timers were seen to send. A timer may run a tick late (see wheel.py), which
    nothing but its packet tells; a packet is never believed to tell more than that.
    """

    kernel: Kernel = Kernel()
    settings: Settings = Settings()
    traffic: Literal["idle", "write", "stream", "request", "listen", "blocked", "connect"] = "idle"
    effect: Effect = Effect(to_peer="drop", to_survivor="drop", peer="dead")
    ipv: Literal[4, 6] = 4
    fault_at: float = 0.0
    armed_at: float | None = None
    heard_at: float | None = None
    rto_s: float = 0.204
    srtt_s: float = 0.0001
    trip_s: float | None = None
    unacked_at: float | None = None
    segments: int = 1
    window_closed_at: float | None = None
    read_at: float | None = None
    write_blocked_at: float | None = None
    ping_at: float | None = None
    mapping_expires_at: float | None = None
    sent_at: tuple[float, ...] = ()


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a prediction's timeline. ``at_s``: after the fault (the latest possible instant where not exact)."""

    at_s: float
    what: str
    earliest_s: float | None = None
    latest_s: float | None = None


class Prediction(msgspec.Struct, frozen=True, kw_only=True):
    """What the kernel's timers say. Times are seconds after the fault.

    ``verdict``: "detected" (the connection was gone, and the survivor will know), "missed" (it will never know),
    "mistaken" (a healthy connection, or one whose network comes back, will be declared dead), "survived" (it is
    healthy, or becomes so, and is not declared dead), "unknown" (chance decides between the above).
    ``sign`` and ``by``: as in the record (docs/record.md). ``other_sign``: where chance decides between two signs.
    ``why``: the reason, in words, one or two sentences.
    ``earliest_s``, ``latest_s``: always, where something is detected; ``latest_s`` None means without bound.
    ``exact_s``: where the jiffy clock was calibrated and Linux is determined. ``ambiguous``: an event falls within a
    tick of a decision, so ``exact_s`` may be off by a step. ``recovery_latest_s``: where an outage ends, data flows
    again within [recovery_earliest_s, recovery_latest_s] after the fault. ``steps``: the timeline.
    """

    verdict: Literal["detected", "missed", "mistaken", "survived", "unknown"]
    sign: str = "none"
    other_sign: str | None = None
    by: str = "none"
    earliest_s: float | None = None
    latest_s: float | None = None
    exact_s: float | None = None
    ambiguous: bool = False
    recovery_earliest_s: float | None = None
    recovery_latest_s: float | None = None
    recovery_exact_s: float | None = None
    why: str = ""
    steps: list[Step] = []
    warnings: list[str] = []
