"""Checks that write. A write is accepted by this end's own kernel; what the peer says to it comes later.

RFC 9293 3.10.7.1 (data for a closed connection is answered with RST); net/ipv4/tcp.c, tcp_sendmsg_locked; tcp_input.c,
tcp_reset (the error is EPIPE in CLOSE_WAIT, else ECONNRESET).
"""

from harness.detectors.base import Detector, Expect

_ACCEPTED = "accepted by this end's own kernel, and acknowledged by the peer's"
_RST = "the pending error comes out of the write; the program's own reading ends with EOF"
_FULL = "EAGAIN: the send buffer is full, which tells nothing about the peer"
_NOWHERE = "accepted by this end's own kernel; it goes nowhere"
_HUNG = "accepted, and acknowledged by the peer's kernel; no program receives it"
_ANSWER_S = 0.05

WRITE = Detector(
    name="write",
    title="one write of one byte",
    seen_in="001, 002, 004",
    expects=(
        Expect("quiet data half", "right", _ACCEPTED, sent=1),
        Expect("zero", "blind", _FULL),
        Expect("fin fin+data", "blind", "accepted: the RST to it has yet to come, and the byte is lost", sent=1),
        Expect("rst rst+data", "right", _RST, swallowed=True),
        Expect("idle unacked", "blind", _NOWHERE, sent=1),
        Expect("hung", "blind", _HUNG, sent=1),
    ),
)
WRITE_TWICE = Detector(
    name="write-twice",
    title="two writes, 50 ms apart",
    seen_in="001, 004",
    expects=(
        Expect("quiet data", "right", _ACCEPTED, _ANSWER_S, sent=2),
        Expect(
            "half", "right", "no RST comes back: of all checks this one tells shutdown from close", _ANSWER_S, sent=2
        ),
        Expect("zero", "blind", _FULL),
        Expect("fin fin+data", "right", "RST answered the first byte; EPIPE. The byte is lost", _ANSWER_S, sent=1),
        Expect("rst rst+data", "right", _RST, swallowed=True),
        Expect("idle unacked", "blind", _NOWHERE, _ANSWER_S, sent=2),
        Expect("hung", "blind", _HUNG, _ANSWER_S, sent=2),
    ),
)

WRITING = (WRITE, WRITE_TWICE)
