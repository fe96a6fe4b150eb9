"""The instants that a situation leaves out, filled in from the fault.

Conventions, where an instant is None:

- the peer was last heard when the fault struck; keepalive was armed then too;
- "write" and "stream" write at the fault; nothing else is ever written;
- what is written while a NAT's mapping still lasts gets through and is acknowledged;
- the window closed at the fault; a write that is stuck got stuck when the window closed;
- the path's round trip is the smoothed one;
- a read began when the peer was last heard;
- the first heartbeat without an answer is due one period after the fault.
"""

import msgspec

from harness.predict.situation import Situation


def filled(situation: Situation) -> Situation:
    """Return ``situation`` with every instant that matters to it."""
    s, at = situation, situation.fault_at
    heard = at if s.heard_at is None else s.heard_at
    blocked = s.traffic == "blocked"
    closed = at if s.window_closed_at is None and blocked else s.window_closed_at
    stuck = closed if s.write_blocked_at is None and blocked else s.write_blocked_at
    writes = s.traffic in ("write", "stream") and s.unacked_at is None
    unacked = at if writes else s.unacked_at
    if unacked is not None and s.mapping_expires_at is not None and unacked < s.mapping_expires_at:
        unacked = None
    ping = s.ping_at
    if ping is None and s.settings.heartbeat_s:
        ping = at + s.settings.heartbeat_s
    return msgspec.structs.replace(
        s,
        trip_s=s.srtt_s if s.trip_s is None else s.trip_s,
        heard_at=heard,
        armed_at=heard if s.armed_at is None else s.armed_at,
        unacked_at=unacked,
        window_closed_at=closed,
        write_blocked_at=stuck,
        read_at=heard if s.read_at is None else s.read_at,
        ping_at=ping,
    )
