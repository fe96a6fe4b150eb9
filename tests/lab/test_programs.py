"""The two programs as real processes over loopback: each close with each mode, who ends first, and every error line."""

import contextlib
import os
import pty
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.program import eventually
from tests.lab.talker import Talker, client, port_of, server

DELAY = ("--delay", "1200ms")
LONG = ("--delay", "1h")
_GREETING = r"received 94 bytes: HTTP/1\.1 200 OK.*Starting data transmission\.\.\.$"
# A close takes effect within this much of the instant that was asked for.
_WITHIN_S = 0.050

_VERDICT = {
    "graceful": "[EOF] the server closed its end in order: its FIN came",
    "immediate": "[RST] the server reset the connection: an RST came, without a FIN before it (recv: ECONNRESET)",
    "half": "[EOF] the server closed its end in order: its FIN came",
}
_WAY = {
    "graceful": "graceful close, close(): FIN",
    "immediate": "immediate close, SO_LINGER 0 and close(): RST",
    "half": "half close, shutdown(SHUT_WR): FIN, and it reads on",
}


def _has_ipv6() -> bool:
    with contextlib.suppress(OSError), socket.create_server(("::1", 0), family=socket.AF_INET6):
        return True
    return False


def _sequence(text: str, *parts: str) -> None:
    """Assert that ``parts`` are in ``text`` in this order."""
    assert re.search(".*".join(re.escape(part) for part in parts), text, re.DOTALL), text


# -- each close, each mode ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "mode", ["read", *(pytest.param(mode, marks=pytest.mark.slow) for mode in ("write", "interactive"))]
)
@pytest.mark.parametrize("how", ["graceful", "immediate", "half"])
def test_close_and_mode(how: str, mode: str) -> None:
    with server("--close", how, *DELAY) as there, client(port_of(there), "--mode", mode) as here:
        here.hear(_GREETING)
        if mode == "interactive":
            here.type("hello?!\n")
            there.hear(r"received 8 bytes: hello\?!$")
        here.hear(r"received \d+ bytes: Line 1, sent at ")
        here.hear(r"received \d+ bytes: Line 2, sent at ")
        ended = here.wait()
        there.hear(r"done: 2 lines sent")
        said = there.interrupt().out

    assert (ended.code, ended.err) == (0, "")
    sent = {"read": 0, "write": 1, "interactive": 1}[mode]
    assert ended.out.count("sent message") == sent
    _sequence(ended.out, "Line 2", _VERDICT[how], "done: 186 bytes received")
    assert "Line 3" not in ended.out

    after = ["[EOF] the client closed its end in order: its FIN came"] if how == "half" else []
    _sequence(said, "connected", "sent line 1", "sent line 2", _WAY[how], *after, "done: 2 lines sent")
    if mode == "write":
        assert re.search(r"received 49 bytes: Message 1, sent at ", said)
    assert "[RST]" not in said and "[ERROR]" not in said


@pytest.mark.slow
def test_the_write_mode_numbers_a_line_each_second() -> None:
    with server("--delay", "2500ms") as there, client(port_of(there), "--mode", "write") as here:
        ended = here.wait()
        there.hear("Message 1, ")
        there.hear("Message 2, ")
    instants = [float(at) for at in re.findall(r"\+(\d+\.\d+) s  sent message", ended.out)]
    assert len(instants) == 2
    assert all(at >= number for number, at in enumerate(instants, 1)) and min(instants) < 1 + _WITHIN_S


# -- the server alone, met by a plain socket ---------------------------------------------------------------------------


@contextlib.contextmanager
def _plain(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
        yield sock


def _read_on(sock: socket.socket) -> bytes:
    """Everything until the FIN."""
    data = b""
    while more := sock.recv(65536):
        data += more
    return data


def test_the_half_closed_server_reads_on_until_the_client_is_done() -> None:
    with server("--close", "half", "--delay", "0") as there, _plain(port_of(there)) as sock:
        assert _read_on(sock).endswith(b"Starting data transmission...\n")
        for word in ("one", "two"):  # the second would fail if the first had drawn an RST
            sock.sendall(word.encode() + b"\n")
            there.hear(f"half-closed, received 4 bytes: {word}$")
        sock.shutdown(socket.SHUT_WR)
        there.hear(r"\[EOF\] the client closed its end")
        there.hear(r"done: 0 lines sent, 8 bytes received$")


def test_the_half_closed_server_tells_a_reset() -> None:
    with server("--close", "half", "--delay", "0") as there, _plain(port_of(there)) as sock:
        _read_on(sock)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()
        there.hear(r"\[RST\] the client reset the connection")
        there.hear(r"done: ")


def test_after_a_graceful_close_nobody_reads() -> None:
    with server("--close", "graceful", "--delay", "0") as there, _plain(port_of(there)) as sock:
        _read_on(sock)
        sock.sendall(b"too late")
        with pytest.raises(BrokenPipeError):  # the RST that the first write draws
            for _ in range(1000):
                sock.sendall(b"later still")


def test_several_clients_at_once_are_each_closed_at_their_instant() -> None:
    with contextlib.ExitStack() as stack:
        there = stack.enter_context(server("--delay", "700ms"))
        port = port_of(there)
        began, late = [], []
        socks = []
        for _ in range(5):
            began.append(time.monotonic())
            socks.append(stack.enter_context(_plain(port)))
        for sock, at in zip(socks, began, strict=True):
            assert b"Line 1, " in _read_on(sock)
            late.append(time.monotonic() - at - 0.7)
        assert min(late) >= 0 and min(late) < _WITHIN_S, late
        for sock in socks:
            there.hear(rf"127\.0\.0\.1:{sock.getsockname()[1]}  done: 1 line sent")


def test_the_server_survives_a_client_that_resets_at_once() -> None:
    with server(*LONG) as there:
        port = port_of(there)
        with _plain(port) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        there.hear(r"\[RST\] the client reset the connection")
        with _plain(port) as sock:
            assert sock.recv(10)


# -- the client alone, met by a plain socket ---------------------------------------------------------------------------


def test_what_came_cannot_drive_the_terminal() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, client(listener.getsockname()[1]) as here:
        sock, _ = listener.accept()
        with sock:
            sock.sendall(b"\x1b[2J \xff caf\xc3\xa9\r\n")
        here.hear(r"received 14 bytes: \\x1b\[2J \\xff café\\r$")
        assert here.wait().code == 0


def test_data_before_an_rst_is_read_first() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, client(listener.getsockname()[1]) as here:
        sock, _ = listener.accept()
        sock.sendall(b"last words\n")
        here.hear("last words")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()
        _sequence(here.wait().out, "last words", "[RST]", "done: 11 bytes received")


def test_another_error_is_no_eof_and_no_rst() -> None:
    ss = shutil.which("ss")
    if ss is None or os.geteuid() != 0:
        pytest.skip("NOT TESTED: to destroy a socket under its program (SOCK_DESTROY) needs root and ss(8)")
    with server(*LONG) as there, client(port_of(there)) as here:
        port = here.hear(r"connected to 127\.0\.0\.1:(\d+) from 127\.0\.0\.1:(\d+)$")
        done = subprocess.run(
            [ss, "-K", "-tn", "src", f"127.0.0.1:{port[2]}", "dst", f"127.0.0.1:{port[1]}"],
            capture_output=True,
            text=True,
            check=False,
        )
        if port[2] not in done.stdout:
            pytest.skip("NOT TESTED: this kernel has no CONFIG_INET_DIAG_DESTROY")
        ended = here.wait()
        _sequence(ended.out, "[ERROR] recv failed: ECONNABORTED, software caused connection abort", "done: ")
        assert (ended.code, ended.err) == (0, "")


# -- the input of mode interactive -------------------------------------------------------------------------------------


def test_an_empty_line_closes_here() -> None:
    with server(*LONG) as there, client(port_of(there), "--mode", "interactive") as here:
        here.type("one\ntwo\n\nnever sent\n")
        ended = here.wait()
        _sequence(ended.out, "sent message 1", "sent message 2", "[CLOSED] this end closed the connection itself")
        assert ended.code == 0 and "sent message 3" not in ended.out
        # The greeting may lie unread in the client when it closes: then its close sends an RST (RFC 2525, 2.17).
        there.hear(r"\[(EOF|RST)\] the client ")


def test_an_empty_line_on_a_terminal_closes_here() -> None:
    master, slave = pty.openpty()
    try:
        with server(*LONG) as there, client(port_of(there), "--mode", "interactive", stdin=slave) as here:
            here.hear(_GREETING)
            os.write(master, b"typed\n")
            there.hear("received 6 bytes: typed$")
            os.write(master, b"\n")
            assert "[CLOSED]" in here.wait().out
            there.hear(r"\[EOF\] the client closed its end")
    finally:
        os.close(master)
        os.close(slave)


def test_the_end_of_the_input_does_not_close(tmp_path: Path) -> None:
    typed = tmp_path / "typed"
    typed.write_text("from a file\nwithout an end")
    with (
        typed.open("rb") as stdin,
        server(*DELAY) as there,
        client(port_of(there), "--mode", "interactive", stdin=stdin) as here,
    ):
        _sequence(here.wait().out, "sent message 2", "the input has ended; reading on", "Line 1", "Line 2", "[EOF]")
        there.hear("done: 2 lines sent, 27 bytes received$")


def test_no_input_is_an_input_that_has_ended() -> None:
    with (
        server("--delay", "100ms") as there,
        client(port_of(there), "--mode", "interactive", stdin=subprocess.DEVNULL) as here,
    ):
        _sequence(here.wait().out, "the input has ended; reading on", "[EOF]")


# -- the client's process ends: what the document says of kill -9 ------------------------------------------------------


def test_kill_9_alone_sends_a_fin() -> None:
    with server(*LONG) as there, client(port_of(there)) as here:
        here.hear(_GREETING)
        # Nothing unread: stopped just after a line was read.
        here.hear("Line 1, ")
        os.kill(here.pid, signal.SIGKILL)
        there.hear(r"\[EOF\] the client closed its end in order: its FIN came")


def test_kill_9_with_data_unread_sends_an_rst() -> None:
    with server(*LONG) as there, client(port_of(there)) as here:
        here.hear("Line 1, ")
        os.kill(here.pid, signal.SIGSTOP)
        there.hear("sent line 2$")
        there.hear("sent line 3$")
        os.kill(here.pid, signal.SIGKILL)
        there.hear(r"\[RST\] the client reset the connection")


# -- Ctrl-C, and nobody who reads --------------------------------------------------------------------------------------


def test_ctrl_c_ends_the_server_with_one_line_and_closes_its_connections() -> None:
    with server(*LONG) as there, client(port_of(there)) as here:
        here.hear(_GREETING)
        ended = there.interrupt()
        assert (ended.code, ended.err) == (130, "")
        assert ended.out.splitlines()[-1] == "interrupted; 1 open connection closed"
        assert "[EOF]" in here.wait().out


def test_ctrl_c_ends_the_client_with_one_line() -> None:
    with server(*LONG) as there, client(port_of(there), "--mode", "write") as here:
        here.hear(_GREETING)
        ended = here.interrupt()
        assert (ended.code, ended.err) == (130, "")
        assert ended.out.splitlines()[-1] == "interrupted; the connection is closed"
        there.hear(r"\[EOF\] the client closed its end")


def test_ctrl_c_ends_a_client_that_is_still_connecting() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener, contextlib.ExitStack() as stack:
        address = listener.getsockname()
        # The queue is full with one connection: a SYN after that is not answered (tcp_conn_request()).
        stack.enter_context(socket.create_connection(address))
        with client(address[1]) as here:
            here.hear("^connecting to 127.0.0.1, port ")
            _await_syn(address[1])
            ended = here.interrupt()
            assert (ended.code, ended.err) == (130, "")
            assert ended.out.splitlines()[1:] == ["interrupted"]


def _await_syn(port: int) -> None:
    """Wait until a connection to 127.0.0.1:``port`` is in SYN_SENT (2)."""
    wanted = f" {int.from_bytes(socket.inet_aton('127.0.0.1'), sys.byteorder):08X}:{port:04X} 02 "
    assert eventually(lambda: wanted in Path("/proc/net/tcp").read_text())


@pytest.mark.parametrize("who", ["server", "client"])
def test_when_nobody_reads_what_it_says_it_ends_in_silence(who: str) -> None:
    with server(*LONG) as there, client(port_of(there)) as here:
        here.hear("Line 1, ")
        there.hear("sent line 1")
        talker = {"server": there, "client": here}[who]
        talker.hang_up()
        ended = talker.wait()
        assert (ended.code, ended.err) == (-signal.SIGPIPE, "")


# -- names and addresses -----------------------------------------------------------------------------------------------


def test_localhost_is_the_default_host() -> None:
    with server("--delay", "100ms", bind="localhost") as there:
        port = port_of(there)
        with Talker("client", "--port", str(port)) as here:
            ended = here.wait()
            _sequence(ended.out, f"connecting to localhost, port {port}", "connected to ", "[EOF]")


@pytest.mark.skipif(not _has_ipv6(), reason="NOT TESTED: no ::1 on this machine")
def test_ipv6() -> None:
    with server("--delay", "100ms", bind="::1") as there, client(port_of(there), host="::1") as here:
        _sequence(here.wait().out, "connected to [::1]:", "[EOF]")
        there.hear(r"\[::1\]:\d+  connected$")


# -- every error line --------------------------------------------------------------------------------------------------


def _refused(code: int, pattern: str, *words: str) -> None:
    with Talker(*words) as talker:
        ended = talker.wait(30)
    assert ended.code == code, ended
    assert re.fullmatch(pattern + r"\n", ended.err), ended.err
    assert "Traceback" not in ended.out


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("--port: '65536' is refused; a whole number from 0 to 65535 is allowed", "server --port 65536"),
        ("--port: '0' is refused; a whole number from 1 to 65535 is allowed", "client --port 0"),
        ("--port: '80x' is refused; a whole number from 1 to 65535 is allowed", "client --port 80x"),
        ("--close: 'abrupt' is unknown; allowed: graceful, immediate, half", "server --close abrupt"),
        ("--delay: '2d' is refused; from 0 s to 86400 s is allowed", "server --delay 2d"),
        ("--delay: 'soon' is not a duration; .*", "server --delay soon"),
        ("--mode: 'listen' is unknown; allowed: read, write, interactive", "client --mode listen"),
        (r"--host: 'a\.\.b' is refused; a name has parts of 1 to 63 characters", "client --host a..b"),
        ("--host: '' is refused; a name or an address is allowed", "client --host="),
    ],
)
def test_a_refused_value_is_one_line(pattern: str, words: str) -> None:
    _refused(2, pattern, *words.split())


@pytest.mark.parametrize("words", ["client --host no.such.invalid", "server --bind no.such.invalid"])
def test_a_name_that_does_not_resolve_is_one_line(words: str) -> None:
    _refused(4, r"--(host|bind): the name 'no\.such\.invalid' does not resolve: .+", *words.split())


def test_a_port_in_use_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        pattern = rf"port {port} of 127\.0\.0\.1 is in use; take another --port, .* ss -ltnp 'sport = :{port}'"
        _refused(4, pattern, "server", "--bind", "127.0.0.1", "--port", str(port))


def test_a_refused_connection_is_one_line() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))  # it has the port and does not listen
        port = holder.getsockname()[1]
        pattern = rf"nobody listens on port {port} of 127\.0\.0\.1 \(.*connection refused\); .* server --port {port}"
        _refused(4, pattern, "client", "--host", "127.0.0.1", "--port", str(port))


def test_an_address_of_another_machine_is_one_line() -> None:
    _refused(4, r"--bind: 192\.0\.2\.1 is no address of this machine; .*", "server", "--bind", "192.0.2.1")


def test_a_host_that_cannot_be_reached_is_one_line() -> None:
    # A connection to broadcast is refused by the kernel itself: nothing leaves the machine.
    pattern = r"cannot connect to 255\.255\.255\.255, port 9 \(255\.255\.255\.255:9: .+\)"
    _refused(4, pattern, "client", "--host", "255.255.255.255", "--port", "9")
