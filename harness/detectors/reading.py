"""Checks that read. A queue that holds data hides what stands behind it, and a read takes what it finds.

net/ipv4/tcp.c, tcp_recvmsg_locked: data first; then, if none, FIN (0), the pending error (once), EAGAIN.
"""

from harness.detectors.base import Detector, Expect

_GONE = "nothing has arrived, and a read only tells what has: EAGAIN, as on a healthy connection"
_EMPTY = "the receive queue is empty: EAGAIN"
_FIN = "the end of the stream: 0"
_HALF = "a FIN reads the same, whether the peer closed or only ended its own sending; this one still reads"
_MASKED = "the data comes first: what stands behind it is not seen"
_RST = "the pending error; it is delivered once, and the program's own next read says EOF"

DEADLINE_PAST = Detector(
    name="deadline-past",
    title="one-byte read, deadline now, only EOF counts",
    seen_in="003, as written",
    expects=(
        Expect("quiet data half zero", "right", "it always says alive: the deadline is past before anything is read"),
        Expect(
            "fin fin+data rst rst+data idle unacked hung",
            "blind",
            "the deadline is past before anything is read: Go looks at it first, so EOF is never met",
        ),
    ),
)
READ_DEADLINE = Detector(
    name="read-deadline",
    title="one-byte read, deadline in 10 ms, any error",
    seen_in="003, as meant",
    expects=(
        Expect("quiet zero", "right", "nothing came within 10 ms, and nothing was to come", after_s=0.010),
        Expect("data", "right", "there is a byte, and it is taken out of the stream", eaten=1),
        Expect("half", "wrong", _HALF),
        Expect("fin", "right", _FIN),
        Expect("fin+data", "blind", _MASKED, eaten=1),
        Expect("rst", "right", _RST, swallowed=True),
        Expect("rst+data", "blind", _MASKED, eaten=1),
        Expect("idle unacked hung", "blind", "nothing came within 10 ms: as on a healthy connection", after_s=0.010),
    ),
)
READ_CLOSED = Detector(
    name="read-closed",
    title="one-byte read without waiting (readClosed)",
    seen_in="002",
    expects=(
        Expect("quiet zero", "right", _EMPTY),
        Expect("data", "right", "there is a byte, and it is taken out of the stream", eaten=1),
        Expect("half", "wrong", _HALF),
        Expect("fin", "right", _FIN),
        Expect("fin+data", "blind", _MASKED, eaten=1),
        Expect("rst", "right", _RST, swallowed=True),
        Expect("rst+data", "blind", _MASKED, eaten=1),
        Expect("idle unacked hung", "blind", _GONE),
    ),
)
PEEK = Detector(
    name="peek",
    title="recv(1, MSG_PEEK | MSG_DONTWAIT)",
    seen_in="common practice",
    expects=(
        Expect("quiet zero", "right", _EMPTY),
        Expect("data", "right", "there is a byte, and it stays"),
        Expect("half", "wrong", _HALF),
        Expect("fin", "right", _FIN),
        Expect("fin+data rst+data", "blind", _MASKED),
        Expect("rst", "right", "the pending error: MSG_PEEK leaves data alone, but takes the error", swallowed=True),
        Expect("idle unacked hung", "blind", _GONE),
    ),
)
RECV_ZERO = Detector(
    name="recv-0",
    title="recvfrom of 0 bytes is 0 (CheckFdCloseWait)",
    seen_in="004",
    expects=(
        Expect(
            "quiet zero", "right", "EAGAIN also for no bytes: Linux looks at the queue before it looks at the length"
        ),
        Expect("data", "wrong", "0 bytes of the data are copied, and 0 is returned: it looks like FIN"),
        Expect("half", "wrong", _HALF),
        Expect("fin", "right", _FIN),
        Expect("fin+data rst+data", "right", "0 because there is data, not because of what stands behind it"),
        Expect("rst", "blind", "an error is no 0, so not closed; and the error is taken", swallowed=True),
        Expect("idle unacked hung", "blind", _GONE),
    ),
)
READ_ZERO = Detector(
    name="read-0",
    title="read(fd, buf, 0) is 0",
    seen_in="002, in passing",
    expects=(
        Expect(
            "quiet data half zero", "wrong", "0 in every state: the socket is not asked (net/socket.c, sock_read_iter)"
        ),
        Expect("fin fin+data rst rst+data idle unacked hung", "right", "0 in every state: right by accident"),
    ),
)
IN_READ_ZERO = Detector(
    name="in+read-0",
    title="POLLIN, then read(fd, buf, 0) is 0",
    seen_in="002",
    expects=(
        Expect("quiet zero", "right", "no POLLIN: there is nothing to read"),
        Expect("data", "wrong", "data is a POLLIN too, and read of 0 bytes is always 0"),
        Expect("half", "wrong", "the FIN is a POLLIN; " + _HALF),
        Expect("fin fin+data", "right", "POLLIN, and 0: by way of the FIN or of the data"),
        Expect("rst rst+data", "right", "POLLIN: a connection that was reset is shut down for reading"),
        Expect("idle unacked hung", "blind", "nothing has arrived: no POLLIN, as on a healthy connection"),
    ),
)

READING = (DEADLINE_PAST, READ_DEADLINE, READ_CLOSED, PEEK, RECV_ZERO, READ_ZERO, IN_READ_ZERO)
