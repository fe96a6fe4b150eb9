"""Checks that wait: for the peer's word, or for a timer of the kernel's to give up.

Keepalive and user timeout are asked for what they themselves bring about, an error (POLLERR, POLLHUP): a program that
also reads sees FIN and RST by reading. docs/linux.md has the timers; net/ipv4/tcp_timer.c.
"""

from harness.detectors.base import Detector, Expect

_SILENCE_S = 0.5
# 1 + 2 x 1 s, each rounded up by the timer wheel by up to 80 ms (HZ 100 to 1000).
_KEEPALIVE_S, _KEEPALIVE_LATEST_S = 3.0, 3.24
_WATCHED_S, _UT_WATCHED_S = 3.5, 2.5
_WHOLE = "no error within the whole watch"
_ERROR = "the RST's error is pending already; it is left there"

IDLE_TIMEOUT = Detector(
    name="idle-timeout",
    title="read on; 500 ms of silence mean gone",
    seen_in="000, 004",
    expects=(
        Expect("quiet zero", "wrong", "it has nothing to say: silent is not gone", _SILENCE_S),
        Expect("data", "wrong", "the data is read, and then it is silent: silent is not gone", _SILENCE_S, eaten=5),
        Expect("half", "wrong", "the end of its stream; it still reads"),
        Expect("fin", "right", "the end of the stream"),
        Expect("fin+data", "right", "the data is read, and then the end of the stream", eaten=5),
        Expect("rst", "right", "ECONNRESET, to the reader that was to get it", swallowed=True),
        Expect("rst+data", "right", "the data is read, and then ECONNRESET", eaten=5, swallowed=True),
        Expect("idle unacked hung", "right", "silence", _SILENCE_S),
    ),
)
HEARTBEAT = Detector(
    name="heartbeat",
    title="ping the peer's program, 500 ms to answer",
    seen_in="common practice",
    expects=(
        Expect("quiet", "right", "the program answers", sent=1),
        Expect("data", "right", "the program answers, behind the data, which is read", sent=1, eaten=5),
        Expect("half", "wrong", "it has ended its sending, so that it cannot answer: the end of the stream", sent=1),
        Expect("zero", "wrong", "the ping waits behind what the peer has not read: slow is not gone", _SILENCE_S),
        Expect("fin", "right", "the end of the stream", sent=1),
        Expect("fin+data", "right", "the data is read, and then the end of the stream", sent=1, eaten=5),
        Expect("rst rst+data", "right", "the pending error comes out of the write", swallowed=True),
        Expect("idle unacked", "right", "no answer", _SILENCE_S, sent=1),
        Expect(
            "hung",
            "right",
            "no answer: the peer's kernel acknowledges the ping, its program does not read it",
            _SILENCE_S,
            sent=1,
        ),
    ),
)
KEEPALIVE = Detector(
    name="keepalive",
    title="SO_KEEPALIVE 1 s, 1 s, 2 probes; an error",
    seen_in="000",
    expects=(
        Expect("quiet data half", "right", "the peer's kernel answers the probes", _WATCHED_S),
        Expect("zero", "right", "no keepalive while data waits; the window probes are answered", _WATCHED_S),
        Expect(
            "fin fin+data", "blind", "the closed socket's kernel answers probes for a minute (FIN_WAIT2)", _WATCHED_S
        ),
        Expect("rst rst+data", "right", _ERROR),
        Expect(
            "idle", "right", "1 s idle and two probes without an answer: ETIMEDOUT", _KEEPALIVE_S, _KEEPALIVE_LATEST_S
        ),
        Expect(
            "unacked",
            "blind",
            "keepalive rests while data is unacknowledged; the retransmissions take 15 minutes",
            _WATCHED_S,
        ),
        Expect("hung", "blind", "the peer's kernel answers the probes; its program need not be there", _WATCHED_S),
    ),
)
USER_TIMEOUT = Detector(
    name="user-timeout",
    title="TCP_USER_TIMEOUT 500 ms, alone; an error",
    seen_in="common practice",
    expects=(
        Expect("quiet data half", "right", _WHOLE, _UT_WATCHED_S),
        Expect(
            "zero",
            "wrong",
            "it counts the time in which nothing was accepted: it kills slow readers",
            0.0,
            _UT_WATCHED_S,
        ),
        Expect("fin fin+data", "blind", "nothing is unacknowledged, so no clock runs", _UT_WATCHED_S),
        Expect("rst rst+data", "right", _ERROR),
        Expect("idle", "blind", "nothing is unacknowledged, so no clock runs: never", _UT_WATCHED_S),
        Expect(
            "unacked",
            "right",
            "at the first retransmission that is 500 ms after the first: ETIMEDOUT",
            0.0,
            _UT_WATCHED_S,
        ),
        Expect("hung", "blind", "the peer's kernel acknowledges everything", _UT_WATCHED_S),
    ),
)

WAITING = (IDLE_TIMEOUT, HEARTBEAT, KEEPALIVE, USER_TIMEOUT)
