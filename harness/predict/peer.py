"""The peer's own word: its FIN or RST, when one reaches the survivor.

Facts: RFC 9293 3.6 (closing), 3.10.7.4 (RST); a dead process's kernel sends FIN, or RST if unread data was queued, and
retries a lost FIN for about 107 s (tcp_orphan_retries 0 means 8), an RST never; measured. Units: seconds.
A peer that is "gone" speaks only when spoken to: whichever timer or write sends the next packet decides when.
"""

from harness.predict.finding import Finding
from harness.predict.situation import Situation

_PROMPT_S = 0.05
_ORPHAN_S = 100.0


def peer_speaks(s: Situation) -> Finding | None:
    """Return when the peer's FIN or RST is seen, None if none comes unasked."""
    effect = s.effect
    if effect.peer not in ("fin", "rst") or s.traffic == "connect":
        return None
    sign = "EOF" if effect.peer == "fin" else "ECONNRESET"
    if effect.to_survivor == "pass":
        return Finding("peer", sign, s.fault_at, s.fault_at + s.srtt_s + _PROMPT_S)
    if effect.peer == "rst":
        return None
    heals = effect.heals_after_s
    if effect.to_survivor == "lossy":
        return Finding("peer", sign, s.fault_at, None, None, False)
    if heals is None or heals > _ORPHAN_S:
        return None
    # The FIN is retried with doubling pauses: it comes up to one outage after the network is back.
    return Finding("peer", sign, s.fault_at + heals, s.fault_at + 2 * heals + 1.0, None, heals < _ORPHAN_S / 2)
