"""Checks that ask the kernel what it knows. They read nothing, and see through pending data.

net/ipv4/tcp.c: tcp_poll, tcp_get_info, tcp_ioctl; net/core/sock.c, sk_getsockopt (SO_ERROR takes the error).
"""

from harness.detectors.base import Detector, Expect

_HALF = "a FIN looks the same, whether the peer closed or only ended its own sending; this one still reads"
_SILENCE = "no packet has told the kernel anything: it believes the connection healthy"
_HUNG = "the peer's kernel has acknowledged everything: it looks healthy"
_ACKED = "the peer's kernel has acknowledged everything, and that is all this looks at"
_EMPTY = "nothing is waiting to be acknowledged, and that is all this looks at"
_RETRANSMITTED_S, _SHRINK_S = 1.0, 0.3

POLL = Detector(
    name="poll",
    title="poll/epoll: RDHUP, HUP or ERR",
    seen_in="002",
    expects=(
        Expect("quiet data zero", "right", "none of the three: no FIN and no error"),
        Expect("half", "wrong", "RDHUP: " + _HALF),
        Expect("fin fin+data", "right", "RDHUP, also behind data; nothing is taken"),
        Expect("rst rst+data", "right", "RDHUP, HUP and ERR, also behind data; the error stays"),
        Expect("idle unacked", "blind", _SILENCE),
        Expect("hung", "blind", _HUNG),
    ),
)
SO_ERROR = Detector(
    name="so-error",
    title="getsockopt(SO_ERROR)",
    seen_in="common practice",
    expects=(
        Expect("quiet data zero", "right", "no error is pending"),
        Expect("half", "right", "a FIN is no error: right, because it sees no FIN at all"),
        Expect("fin fin+data", "blind", "a FIN is no error"),
        Expect(
            "rst rst+data",
            "right",
            "ECONNRESET; it is taken, and the program's own reading ends with EOF",
            swallowed=True,
        ),
        Expect("idle unacked", "blind", _SILENCE),
        Expect("hung", "blind", _HUNG),
    ),
)
TCP_INFO = Detector(
    name="tcp-info",
    title="TCP_INFO: state is not ESTABLISHED",
    seen_in="common practice",
    expects=(
        Expect("quiet data zero", "right", "ESTABLISHED"),
        Expect("half", "wrong", "CLOSE_WAIT: " + _HALF),
        Expect("fin fin+data", "right", "CLOSE_WAIT, also behind data"),
        Expect("rst rst+data", "right", "CLOSE, also behind data; the error stays"),
        Expect("idle unacked", "blind", "ESTABLISHED: " + _SILENCE),
        Expect("hung", "blind", "ESTABLISHED: " + _HUNG),
    ),
)
RETRANSMITS = Detector(
    name="retransmits",
    title="TCP_INFO: data sent again twice within 1 s",
    seen_in="common practice",
    expects=(
        Expect("quiet data half", "right", _EMPTY),
        Expect(
            "zero", "right", "what the window forbids is not sent, so it is not sent again: window probes do not count"
        ),
        Expect("fin fin+data rst rst+data idle", "blind", _EMPTY),
        Expect("unacked", "right", "retransmissions at 0.4 and 0.8 s without an answer", _RETRANSMITTED_S),
        Expect("hung", "blind", _ACKED),
    ),
)
OUTQ = Detector(
    name="outq",
    title="SIOCOUTQ: does not shrink within 300 ms",
    seen_in="common practice",
    expects=(
        Expect("quiet data half", "right", _EMPTY),
        Expect("zero", "wrong", "the peer has not taken it yet: slow is not gone", _SHRINK_S),
        Expect("fin fin+data rst rst+data idle", "blind", _EMPTY),
        Expect("unacked", "right", "nobody has acknowledged the byte", _SHRINK_S),
        Expect("hung", "blind", _ACKED),
    ),
)

ASKING = (POLL, SO_ERROR, TCP_INFO, RETRANSMITS, OUTQ)
