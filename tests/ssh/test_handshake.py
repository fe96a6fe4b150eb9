import socket
import subprocess
import threading
import time

import pytest

from harness.errors import Unavailable
from harness.labs.ssh.known import HostKey
from harness.labs.ssh.login import log_in
from harness.labs.ssh.prompts import Prompts
from harness.labs.ssh.reach import Opened
from harness.spec.hosts import RemoteHost
from tests.ssh.server import ECDSA, ED, Server, ed25519


@pytest.fixture
def server():
    made = Server()
    yield made
    made.close()


def nobody(prompt):
    raise AssertionError(f"nobody should be asked {prompt}")


class Client:
    """Logs in with a configuration of its own, and takes everything down again."""

    def __init__(self, folder):
        self.folder = folder
        self.config = folder / "config"
        self.known = folder / "known"
        self.key = folder / "key"
        self.known.write_text("")
        self.prompts = Prompts(nobody)
        self.more = ""

    def knows(self, server, *keys):
        lines = [f"[127.0.0.1]:{server.port} {key.get_name()} {key.get_base64()}\n" for key in keys]
        self.known.write_text(self.known.read_text() + "".join(lines))

    def has(self, key, passphrase=None, name="key"):
        key.write_private_key_file(str(self.folder / name), passphrase)

    def log_in(self, port, name="127.0.0.1", user="alice"):
        self.config.write_text(
            f"{self.more}\nHost *\n UserKnownHostsFile {self.known}\n GlobalKnownHostsFile none\n"
            f" IdentityAgent none\n IdentityFile {self.key}\n IdentityFile {self.folder / 'second'}\n"
        )
        typed = f"{user}@{name}:{port}"
        host = RemoteHost(side="client", name_typed=typed, user=user, name=name, port=port)
        opened = Opened()
        try:
            session = log_in(host, self.config, self.prompts, opened)
            assert session.transport.is_authenticated()
            return session
        finally:
            opened.close()

    def refused(self, port, **how):
        with pytest.raises(Unavailable) as error:
            self.log_in(port, **how)
        line = str(error.value)
        assert "\n" not in line
        typed, _, why = line.partition(": ")
        assert typed == f"{how.get('user', 'alice')}@{how.get('name', '127.0.0.1')}:{port}"
        return why


@pytest.fixture
def client(tmp_path):
    return Client(tmp_path)


def test_a_known_host_and_a_key_that_it_takes(server, client):
    client.knows(server, ED)
    client.has(ECDSA)
    server.keys = [ECDSA]
    session = client.log_in(server.port)
    assert session.host_key == HostKey("ssh-ed25519", ED.asbytes())
    assert session.control == ("127.0.0.1", server.port)
    assert not session.transport.is_active() and not session.transport.is_alive()


def test_an_unknown_host_is_shown_no_key(server, client):
    client.has(ECDSA)
    server.keys = [ECDSA]
    assert client.refused(server.port).startswith("its host key is not known: ssh-ed25519 SHA256:")
    assert server.shown == []


def test_a_changed_host_is_shown_no_key(server, client):
    client.knows(server, ed25519())
    client.has(ECDSA)
    server.keys = [ECDSA]
    assert client.refused(server.port).startswith("ITS HOST KEY HAS CHANGED")
    assert server.shown == []


@pytest.mark.parametrize("key", [ED, ECDSA])
def test_of_several_host_keys_the_one_that_is_known_is_asked_for(server, client, key):
    server.host_keys = [ED, ECDSA]
    server.open = True
    client.knows(server, key)
    assert client.log_in(server.port).host_key.type == key.get_name()


def test_a_wrong_key_is_named_and_so_is_what_the_host_allows(server, client):
    client.knows(server, ED)
    client.has(ECDSA)
    assert client.refused(server.port) == (
        f"permission denied for alice; the host allows publickey; tried: {client.key}"
    )


def test_without_any_key(server, client):
    client.knows(server, ED)
    assert "tried: nothing, for want of a key" in client.refused(server.port)


def test_a_file_that_is_no_key_is_said_to_be_none(server, client):
    client.knows(server, ED)
    client.key.write_text("no key")
    assert f"{client.key} (no key that can be read)" in client.refused(server.port)


def test_a_host_that_has_seen_enough_keys(server, client):
    client.knows(server, ED)
    client.has(ECDSA)
    client.has(ed25519_file(client.folder / "second"), name="unused")
    server.most_attempts = 1
    why = client.refused(server.port)
    assert "permission denied for alice; tried: " in why and why.endswith("then the host closed the connection")


def ed25519_file(file):
    """Write an Ed25519 key as ssh-keygen does, which paramiko cannot; return a key that is of no matter."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", file], check=True)
    return ECDSA


def test_a_passphrase_is_asked_for_until_it_opens_the_key(server, client):
    client.knows(server, ED)
    client.has(ECDSA, "secret")
    server.keys = [ECDSA]
    answers = iter(["wrong", "secret"])
    asked = []

    def ask(prompt):
        asked.append(prompt)
        return next(answers)

    client.prompts = Prompts(ask)
    client.log_in(server.port)
    assert asked == [f"Passphrase for {client.key}: "] * 2
    client.log_in(server.port)  # the same prompts know it now
    assert len(asked) == 2


def test_a_key_that_is_enough_spares_the_passphrase_of_another(server, client):
    client.knows(server, ED)
    client.has(ECDSA, "secret")
    ed25519_file(client.folder / "second")
    server.keys = [type(ED).from_private_key_file(str(client.folder / "second"))]
    client.log_in(server.port)


def test_without_a_terminal_a_locked_key_is_named(server, client):
    client.knows(server, ED)
    client.has(ECDSA, "secret")
    client.more = "BatchMode yes"
    assert client.refused(server.port).endswith(f"not opened for want of a passphrase: {client.key} (ssh-add it)")


def test_a_password_is_asked_for_where_the_host_takes_one(server, client):
    client.knows(server, ED)
    server.password = "open sesame"
    client.prompts = Prompts(lambda prompt: "open sesame")
    client.log_in(server.port)
    client.prompts = Prompts(lambda prompt: "wrong")
    why = client.refused(server.port)
    assert why.endswith("the host allows publickey, password; tried: password") and "wrong" not in why


def test_a_key_and_then_a_code(server, client):
    client.knows(server, ED)
    client.has(ECDSA)
    server.keys, server.code = [ECDSA], "123456"
    client.prompts = Prompts(lambda prompt: "123456" if prompt.endswith("Code: ") else "")
    client.log_in(server.port)


def test_by_way_of_another_host_both_keys_are_verified(server, client):
    jump = Server()
    try:
        client.more = f"Host 127.0.0.1\n ProxyJump bob@localhost:{jump.port}\nHost localhost\n ProxyJump none"
        jump.open = server.open = True
        client.knows(server, ED)
        with pytest.raises(Unavailable) as error:
            client.log_in(server.port)
        assert str(error.value).startswith(
            f"alice@127.0.0.1:{server.port} (by way of bob@localhost:{jump.port}): its host key is not known"
        )
        client.known.write_text(client.known.read_text() + f"[localhost]:{jump.port} {ED.get_name()} {ED.get_base64()}")
        session = client.log_in(server.port)
        assert jump.jumps == [("127.0.0.1", server.port)] and session.control is None
        assert not session.transport.is_alive()
    finally:
        jump.close()


def test_a_proxy_command(server, client):
    client.knows(server, ED)
    server.open = True
    python = (
        "import os,socket,sys,threading\n"
        "s=socket.create_connection((sys.argv[1],int(sys.argv[2])))\n"
        "def up():\n"
        "  while d:=os.read(0,65536): s.sendall(d)\n"
        "threading.Thread(target=up,daemon=True).start()\n"
        "while d:=s.recv(65536): os.write(1,d)\n"
    )
    (client.folder / "proxy.py").write_text(python)
    client.more = f"ProxyCommand python3 {client.folder / 'proxy.py'} %h %p"
    assert client.log_in(server.port).control is None


def test_a_proxy_command_that_fails_says_why(server, client):
    client.more = "ProxyCommand sh -c 'echo no way >&2; exit 1'"
    assert client.refused(server.port) == "the proxy command failed: no way"


def test_nothing_listens(client):
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    assert client.refused(port) == f"connection refused: nothing listens at 127.0.0.1 port {port} (127.0.0.1)"


def test_a_name_that_nobody_knows(client):
    assert client.refused(22, name="no-such-host.invalid").startswith(
        "the name no-such-host.invalid cannot be resolved: "
    )


def test_a_server_that_speaks_no_ssh(client):
    with socket.create_server(("127.0.0.1", 0)) as other:

        def answer():
            sock, _ = other.accept()
            with sock:
                sock.recv(100)
                sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        why = client.refused(other.getsockname()[1])
        thread.join()
    assert why.startswith(("no SSH server answered", "the host closed the connection"))


def test_a_host_that_takes_the_connection_and_is_silent(client, monkeypatch):
    monkeypatch.setattr("harness.labs.ssh.login.LIMIT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        why = client.refused(silent.getsockname()[1])
    assert why == "no SSH server answered within 0.2 s" and time.monotonic() - began < 5


def test_an_attempt_that_is_given_up_leaves_nothing_open(client):
    opened, closed = Opened(), []
    opened.keep(lambda: closed.append(1))
    opened.keep(lambda: closed.append(2))
    opened.close()
    assert closed == [2, 1]
    with pytest.raises(Unavailable):
        opened.keep(lambda: closed.append(3))
    assert closed == [2, 1, 3]
