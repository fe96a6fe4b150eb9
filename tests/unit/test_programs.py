"""What the two programs say, and that a connection hands over what it received."""

import errno
import os
import select
import socket

import pytest
from tcp_pair import Rounds, sockets

from harness.endpoints.connection import Connection
from harness.endpoints.loop import now
from harness.errors import Unavailable
from harness.programs import opening
from harness.programs.options import CLIENT, SERVER
from harness.programs.words import count, place, received, say_since, shown, verdict
from harness.spec.options import parse


@pytest.mark.parametrize(
    ("sign", "call", "begins"),
    [
        ("EOF", "recv", "[EOF] the server closed its end in order"),
        ("ECONNRESET", "recv", "[RST] the server reset the connection: an RST came, without a FIN before it"),
        ("ECONNRESET", "send", "[RST] the server reset the connection: an RST came, without a FIN before it"),
        ("EPIPE", "send", "[RST] the server reset the connection: an RST came, after its FIN"),
        ("ETIMEDOUT", "recv", "[ERROR] recv failed: ETIMEDOUT, " + os.strerror(errno.ETIMEDOUT).lower()),
        ("EHOSTUNREACH", "send", "[ERROR] send failed: EHOSTUNREACH, " + os.strerror(errno.EHOSTUNREACH).lower()),
        ("errno 9999", "recv", "[ERROR] recv failed: errno 9999"),
    ],
)
def test_the_verdict_in_words(sign, call, begins):
    assert verdict(sign, call, "server").startswith(begins)


@pytest.mark.parametrize(
    ("address", "text"),
    [
        (("127.0.0.1", 80), "127.0.0.1:80"),
        (("::1", 80, 0, 0), "[::1]:80"),
        (("::ffff:198.18.0.1", 80, 0, 0), "198.18.0.1:80"),
    ],
)
def test_places(address, text):
    assert place(address) == text


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"plain\n", "plain"),
        (b"two\nlines\r\n", r"two\nlines\r"),
        (b"\x1b]0;title\x07", r"\x1b]0;title\x07"),
        (b"\xe2\x82", r"\xe2\x82"),
        ("caf\u00e9 \u202e".encode(), "caf\u00e9 \\u202e"),
    ],
)
def test_control_characters_are_shown_and_not_obeyed(data, text):
    assert shown(data) == text


def test_lines(capsys):
    assert (received(b"a"), received(b"ab\n"), count(0, "line")) == (
        "received 1 byte: a",
        "received 3 bytes: ab",
        "0 lines",
    )
    say_since(1_000_000_000, 1_500_400_000, "said")
    assert capsys.readouterr().out == "   +0.500 s  said\n"


def test_the_defaults_are_those_of_the_document():
    assert parse(SERVER, {}) == {"port": 8080, "bind": None, "how": "graceful", "delay_s": 3.0}
    assert parse(CLIENT, {}) == {"port": 8080, "host": "localhost", "mode": "read"}


def test_received_bytes_are_handed_over_and_not_answered():
    loop, told, taken = Rounds(), [], []
    here, there = sockets()
    connection = Connection(loop, here, lambda event, **fields: told.append((event, fields.get("sign"))), taken.append)
    stop = loop.at(now() + 5_000_000_000, lambda: pytest.fail("it never came"))
    there.sendall(b"ping?!R.")
    loop.run_until(lambda: taken)
    assert connection.say(b"an answer")["before"] <= now() and there.recv(100) == b"an answer"
    there.close()
    loop.run_until(lambda: told)
    stop.cancel()
    assert (b"".join(taken), told, connection.bytes_in, connection.bytes_out) == (b"ping?!R.", [("sign", "EOF")], 8, 9)
    connection.close("graceful")
    loop.close()


def test_a_file_that_cannot_be_watched_is_not_known(tmp_path):
    loop = Rounds()
    with (tmp_path / "file").open("w") as file:
        with pytest.raises(PermissionError):
            loop.watch(file.fileno(), select.EPOLLIN, lambda _event: None)
        loop.forget(file.fileno())
    loop.close()


@pytest.mark.parametrize(
    ("both", "wanted"), [(True, {"family": socket.AF_INET6, "dualstack_ipv6": True}), (False, {})], ids=["6 and 4", "4"]
)
def test_by_default_the_server_listens_on_every_address(monkeypatch, both, wanted):
    asked = []
    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: both)
    # Only looked at: a test opens no port but on loopback.
    monkeypatch.setattr(socket, "create_server", lambda address, **named: asked.append((address, named)))
    opening.listener(None, 8080)
    assert asked == [(("", 8080), wanted)]


def test_every_address_of_a_name_is_tried(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as silent:
        silent.bind(("127.0.0.2", 0))
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", s.getsockname()) for s in (silent, listener)]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_named: found)
        with opening.connected("both", 1) as client:
            assert client.getpeername() == listener.getsockname()
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_named: found[:1])
        with pytest.raises(Unavailable, match=rf"127\.0\.0\.2:{silent.getsockname()[1]}: connection refused"):
            opening.connected("one", 1)


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (errno.EACCES, "port 80 is for privileged programs only; take --port 1024 or above"),
        (errno.EADDRINUSE, "port 80 is in use"),
        (errno.ENOBUFS, "cannot listen on port 80: no buffer space available"),
    ],
)
def test_why_it_cannot_listen(monkeypatch, number, says):
    def refuse(*_args, **_named):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(socket, "create_server", refuse)
    with pytest.raises(Unavailable) as caught:
        opening.listener(None, 80)
    assert str(caught.value).startswith(says) and caught.value.exit_code == 4
