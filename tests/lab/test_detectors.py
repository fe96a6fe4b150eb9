"""Every check in every state, cell by cell, over IPv4 and IPv6, against a table worked out by hand from the kernel.

r: right; W: wrong, a false alarm; b: blind. The lines between say why (net/ipv4/tcp.c, tcp_input.c, tcp_timer.c of
Linux 6.18). Nothing of it is taken from the program's own expectation (harness/detectors), which is tested with it.
"""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.lab.program import run

STATES = ["quiet", "data", "half", "zero", "fin", "fin+data", "rst", "rst+data", "idle", "unacked", "hung"]

# The other end is there in the first four, and is not in the others.
TABLE = """
                quiet data half zero | fin fin+data rst rst+data idle unacked hung

    Reading: tcp_recvmsg_locked takes data first, then FIN (0), then sk_err once, then EAGAIN. So data hides what
    follows, a FIN says the same whoever sent it and for whatever reason, and where no packet came there is
    nothing to find. A deadline that is past is noticed before the read is made.
deadline-past   r     r    r    r      b   b        b   b        b    b       b
read-deadline   r     r    W    r      r   b        r   b        b    b       b
read-closed     r     r    W    r      r   b        r   b        b    b       b
peek            r     r    W    r      r   b        r   b        b    b       b
    Of no bytes: recvmsg copies none of the data and returns 0; without data the order is as above, and an error is
    not 0. read(2) returns 0 before it comes to the socket (sock_read_iter): "closed" in every state.
recv-0          r     W    W    r      r   r        b   r        b    b       b
read-0          W     W    W    W      r   r        r   r        r    r       r
in+read-0       r     W    W    r      r   r        r   r        b    b       b

    Asking: tcp_poll shows RDHUP from RCV_SHUTDOWN, which FIN and RST set; RST sets sk_err also, and state CLOSE. Only
    RST is an error. packets_out and snd_una know of unacknowledged data and of nothing else; a zero window leaves data
    unsent, which is in the queue (SIOCOUTQ) and not in flight (tcpi_unacked).
poll            r     r    W    r      r   r        r   r        b    b       b
so-error        r     r    r    r      b   b        r   r        b    b       b
tcp-info        r     r    W    r      r   r        r   r        b    b       b
retransmits     r     r    r    r      b   b        b   b        b    r       b
outq            r     r    r    W      b   b        b   b        b    r       b

    Writing: accepted as long as there is room and sk_err is 0. To a closed socket, RST comes back (EPIPE in
    CLOSE_WAIT), to a half-closed one an acknowledgment; at a zero window there is no room, which says nothing.
write           r     r    r    b      b   b        r   r        b    b       b
write-twice     r     r    r    b      r   r        r   r        b    b       b

    Waiting: silence is silence, whatever the reason. Keepalive needs an idle socket (tcp_keepalive_timer: packets_out
    or a write queue, and it rests) and is answered by any kernel that still knows the connection, FIN_WAIT2 included.
    The user timeout needs something unacknowledged, or a closed window.
idle-timeout    W     W    W    W      r   r        r   r        r    r       r
heartbeat       r     r    W    W      r   r        r   r        r    r       r
keepalive       r     r    r    r      b   b        r   r        r    b       b
user-timeout    r     r    r    W      b   b        r   r        b    r       b
"""

_LETTERS = {"r": "right", "W": "wrong", "b": "blind"}
VERDICTS = {
    (words[0], state): _LETTERS[letter]
    for line in TABLE.splitlines()
    if line[:1].strip()
    for words in [line.split()]
    for state, letter in zip(STATES, words[1:], strict=True)
}

# How long it takes (s), from the settings alone; where nothing is said the check does not wait.
_LATE_S = 0.05
_KEEPALIVE = (3.0, 3.24)  # 1 + 2 x 1 s, each up to 80 ms late
WAITS = {
    **{("read-deadline", state): (0.01, 0.01) for state in ("quiet", "zero", "idle", "unacked", "hung")},
    ("retransmits", "unacked"): (1.0, 1.0),
    **{("outq", state): (0.3, 0.3) for state in ("zero", "unacked")},
    **{
        ("write-twice", s): (0.05, 0.05)
        for s in ("quiet", "data", "half", "fin", "fin+data", "idle", "unacked", "hung")
    },
    **{("idle-timeout", state): (0.5, 0.5) for state in ("quiet", "data", "zero", "idle", "unacked", "hung")},
    **{("heartbeat", state): (0.5, 0.5) for state in ("zero", "idle", "unacked", "hung")},
    **{("keepalive", s): (3.5, 3.5) for s in ("quiet", "data", "half", "zero", "fin", "fin+data", "unacked", "hung")},
    ("keepalive", "idle"): _KEEPALIVE,
    **{("user-timeout", s): (2.5, 2.5) for s in ("quiet", "data", "half", "fin", "fin+data", "idle", "hung")},
    # 500 ms from the first retransmission or window probe, rounded up to the next: somewhere within the watch.
    **{("user-timeout", state): (0.0, 2.5) for state in ("zero", "unacked")},
}

# What is taken from the program: bytes out of its stream, and the error that it was to get.
EATS_ONE = {"read-deadline", "read-closed"}
EATS_ALL = {"idle-timeout", "heartbeat"}
# What meets sk_err takes it; a read of one byte meets the data before it.
TAKES_ERROR = {"read-deadline", "read-closed", "peek", "recv-0", "so-error", "write", "write-twice"} | EATS_ALL
TAKES_ERROR_BEHIND_DATA = {"so-error", "write", "write-twice"} | EATS_ALL

Cell = dict[str, Any]


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[int, str, str], Cell]:
    results = tmp_path_factory.mktemp("detectors")
    with ThreadPoolExecutor(2) as pool:
        ended = list(pool.map(lambda ipv: _ask(ipv, results), (4, 6)))
    return {(cell["ipv"], cell["check"], cell["state"]): cell for records in ended for cell in records}


def _ask(ipv: int, results: Path) -> list[Cell]:
    ended = run("detectors", "--json", "--ipv", str(ipv), results=results, within_s=60)
    # 3 is a cell that is not as expected: the tests below say which.
    assert ended.code in (0, 3), ended.err
    return ended.records


_EVERY = pytest.mark.parametrize(("check", "state"), VERDICTS)
_BOTH = pytest.mark.parametrize("ipv", [4, 6])


@_BOTH
def test_no_cell_is_missing(ipv: int, cells: dict[tuple[int, str, str], Cell]) -> None:
    assert {(check, state) for each, check, state in cells if each == ipv} == set(VERDICTS)


@_BOTH
@_EVERY
def test_cell(check: str, state: str, ipv: int, cells: dict[tuple[int, str, str], Cell]) -> None:
    cell = cells[ipv, check, state]
    assert cell["proof"]["holds"], cell["proof"]
    assert cell["verdict"] == VERDICTS[check, state], (cell["answer"], cell["saw"])
    least, most = WAITS.get((check, state), (0.0, 0.0))
    assert least <= cell["after_s"] <= most + _LATE_S
    assert cell["cost"]["eaten"] == _eaten(check, state)
    assert cell["cost"]["swallowed"] == (
        (state == "rst" and check in TAKES_ERROR) or (state == "rst+data" and check in TAKES_ERROR_BEHIND_DATA)
    )
    assert cell["agrees"], cell["differs"]


def _eaten(check: str, state: str) -> int:
    if state not in ("data", "fin+data", "rst+data"):
        return 0
    if check == "heartbeat" and state == "rst+data":
        return 0  # its ping has failed already
    return 1 if check in EATS_ONE else 5 if check in EATS_ALL else 0


@_BOTH
@pytest.mark.parametrize("check", sorted({check for check, _ in VERDICTS}))
def test_what_the_program_reads_after_the_check(check: str, ipv: int, cells: dict[tuple[int, str, str], Cell]) -> None:
    """What a check has not eaten is still there, also behind a RST; what it has taken is never told again."""
    for state in ("fin+data", "rst+data"):
        cell = cells[ipv, check, state]
        assert cell["then"]["bytes"] == 5 - _eaten(check, state)
    after_rst = cells[ipv, check, "rst"]["then"]["end"]
    assert after_rst == ("EOF" if check in TAKES_ERROR else "ECONNRESET")


@_BOTH
def test_a_half_closed_peer_acknowledges_what_a_closed_one_answers_with_rst(
    ipv: int, cells: dict[tuple[int, str, str], Cell]
) -> None:
    half, closed = cells[ipv, "write-twice", "half"], cells[ipv, "write-twice", "fin"]
    assert (half["saw"], half["cost"]["packets"]) == ("accepted", {"data": 2})
    assert (closed["saw"], closed["cost"]["packets"]) == ("EPIPE", {"data": 1})


@_BOTH
def test_keepalive_probes_are_on_the_wire(ipv: int, cells: dict[tuple[int, str, str], Cell]) -> None:
    assert cells[ipv, "keepalive", "idle"]["cost"]["packets"]["keepalive probe"] == 2
    for answered in ("quiet", "fin", "hung"):
        assert cells[ipv, "keepalive", answered]["cost"]["packets"]["keepalive probe"] >= 2
    assert "keepalive probe" not in cells[ipv, "keepalive", "unacked"]["cost"]["packets"]
