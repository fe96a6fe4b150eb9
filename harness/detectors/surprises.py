"""What the table shows that the documents, or common belief, do not; each points at the cells that are its evidence.

The documents are those that the project comes from; docs/detectors.md names them.
"""

import msgspec


class Surprise(msgspec.Struct, frozen=True):
    """``claim``: what is said, and where; ``truth``: what is so, and why; ``cells``: check and state."""

    claim: str
    truth: str
    cells: tuple[tuple[str, str], ...]


SURPRISES = (
    Surprise(
        "A zero-length receive tells whether the peer has closed (004, CheckFdCloseWait; 002: read(fd, buf, 0)).",
        "Three calls, three behaviours. `recvfrom` of 0 bytes asks the kernel: EAGAIN on a quiet healthy connection, "
        "and 0 after FIN, so it works there; but it is 0 with pending data too (a false alarm), and after RST it is an "
        'error, which CheckFdCloseWait takes for "not closed", and which the program then never sees. `read` of 0 '
        "bytes is 0 in every state, because Linux returns before it asks the socket. And Python's `recv(0)` says b'' "
        "in every state because it makes no system call at all (strace shows none): what is said of it must not be "
        "said of the kernel.",
        (("recv-0", "quiet"), ("recv-0", "data"), ("recv-0", "fin"), ("recv-0", "rst"), ("read-0", "quiet")),
    ),
    Surprise(
        "SetReadDeadline(time.Now()) and a one-byte Read meet io.EOF when the client has closed (003).",
        "Not once. Go looks at the deadline before it reads (internal/poll/fd_unix.go, Read calls prepareRead first), "
        "and this deadline is past: every call says timeout, and the program believes for ever. Here the same order of "
        "steps is followed, not Go itself run. A deadline a little ahead meets EOF, and costs that little whenever the "
        "connection is healthy.",
        (("deadline-past", "fin"), ("deadline-past", "rst"), ("read-deadline", "fin"), ("read-deadline", "quiet")),
    ),
    Surprise(
        "readClosed finds connections that the peer has closed before they are used again (002).",
        "Only where nothing was left unread. With data pending it says alive, whatever stands behind the data, and has "
        "taken a byte out of the stream; MSG_PEEK takes no byte, and is as blind. Poll for RDHUP, HUP and ERR and "
        "TCP_INFO see through the data and take nothing.",
        (("read-closed", "fin+data"), ("read-closed", "data"), ("peek", "rst+data"), ("poll", "fin+data")),
    ),
    Surprise(
        "A check that only looks changes nothing.",
        "SO_ERROR, MSG_PEEK and every read take the pending error, which the kernel delivers once. The program's own "
        "next read then says EOF: a reset looks like a clean end.",
        (("so-error", "rst"), ("peek", "rst"), ("write", "rst"), ("poll", "rst")),
    ),
    Surprise(
        "A reset destroys what has arrived.",
        "Not on Linux: what lies in the receive queue can still be read, and the error comes after it. So data hides a "
        "reset from every check that reads; and a program that asks SO_ERROR first reads the data and a clean end.",
        (("poll", "rst+data"), ("so-error", "rst+data"), ("peek", "rst+data")),
    ),
    Surprise(
        "A FIN means that the peer has closed.",
        "It means that the peer sends no more. After shutdown(SHUT_WR) the peer still receives, and from here the two "
        "look the same to every check that sees a FIN: all of them raise a false alarm. Only writing tells, because a "
        "closed socket answers with RST; so the second write knows, at the price of the first byte.",
        (
            ("poll", "half"),
            ("tcp-info", "half"),
            ("heartbeat", "half"),
            ("write-twice", "half"),
            ("write-twice", "fin"),
        ),
    ),
    Surprise(
        "The first write to a closed peer fails.",
        "It is accepted (001, 002 and 004 say so too): the RST is the answer to it. One byte is lost without a word.",
        (("write", "fin"), ("write-twice", "fin")),
    ),
    Surprise(
        "Checking before use keeps a dead connection from being used.",
        "Against a half-open connection no check that does not wait is worth anything: no packet has come, so the "
        "kernel knows nothing, and even a write is accepted.",
        (("poll", "idle"), ("tcp-info", "idle"), ("write", "idle"), ("so-error", "unacked")),
    ),
    Surprise(
        "Keepalive detects half-open connections (000).",
        "Idle ones. While data is unacknowledged, keepalive rests and the retransmission limit rules (15 minutes by "
        "default); TCP_USER_TIMEOUT is the other way round, seeing unacknowledged data and never an idle connection. "
        "Neither sees a FIN, nor a hung program.",
        (
            ("keepalive", "idle"),
            ("keepalive", "unacked"),
            ("user-timeout", "idle"),
            ("user-timeout", "unacked"),
            ("keepalive", "fin"),
        ),
    ),
    Surprise(
        "What kills dead connections spares live ones.",
        "A closed window is a peer that is alive and slow. The user timeout kills it, a send queue that does not "
        "shrink accuses it, a heartbeat waits behind what the peer has not read, and a read deadline takes silence for "
        "death. Keepalive and the count of retransmissions do not.",
        (
            ("user-timeout", "zero"),
            ("outq", "zero"),
            ("heartbeat", "zero"),
            ("idle-timeout", "zero"),
            ("retransmits", "zero"),
        ),
    ),
    Surprise(
        "If the peer's machine answers, the peer is there.",
        "A stopped program's kernel acknowledges data and answers probes. Of all checks only those that need the "
        "program's own word see it: the heartbeat, and the read deadline (which accuses every quiet peer as well).",
        (("keepalive", "hung"), ("write-twice", "hung"), ("heartbeat", "hung"), ("idle-timeout", "quiet")),
    ),
)
