from pathlib import Path

import pytest

from harness.errors import Unavailable
from harness.labs.ssh.config import target_of
from harness.spec.hosts import RemoteHost


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USER", "me")
    monkeypatch.setenv("LOGNAME", "me")
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    (tmp_path / ".ssh").mkdir()
    return tmp_path


def target(config="", name="web", **given):
    file = Path("~/.ssh/config").expanduser()
    file.write_text(config)
    return target_of(RemoteHost(side="client", name_typed=name, name=name, **given), file)


def test_without_a_config_openssh_s_defaults(home):
    found = target(name="Web.example")
    assert (found.host, found.port, found.user, found.known_as) == ("Web.example", 22, "me", ("web.example",))
    assert found.identities == tuple(home / ".ssh" / name for name in ("id_rsa", "id_ecdsa", "id_ed25519"))
    assert found.known_files[:2] == (home / ".ssh/known_hosts", home / ".ssh/known_hosts2")
    assert Path("/etc/ssh/ssh_known_hosts") in found.known_files
    assert (found.agent, found.jumps, found.proxy_command, found.timeout_s) == (None, (), None, 10)


def test_an_alias_with_everything(home, monkeypatch):
    monkeypatch.setenv("OTHER_AGENT", "/run/other")
    found = target(
        """
        Host web
          HostName 192.0.2.7
          User alice
          Port 2222
          IdentityFile ~/.ssh/one
          IdentityFile ~/.ssh/two
          IdentitiesOnly yes
          IdentityAgent $OTHER_AGENT
          UserKnownHostsFile ~/known_%h ~/more
          GlobalKnownHostsFile none
          CertificateFile ~/.ssh/one-cert.pub
          ProxyJump a, bob@b:2200
          ConnectTimeout 3
          BatchMode yes
          AddressFamily inet6
          StrictHostKeyChecking no
        """
    )
    assert (found.host, found.user, found.port) == ("192.0.2.7", "alice", 2222)
    assert found.identities == (home / ".ssh/one", home / ".ssh/two") and found.identities_only
    assert found.certificates == (home / ".ssh/one-cert.pub",)
    assert found.agent == "/run/other"
    assert found.known_files == (home / "known_192.0.2.7", home / "more")
    assert found.known_as == ("[192.0.2.7]:2222", "192.0.2.7")
    assert (found.jumps, found.timeout_s, found.may_ask, found.ipv) == (("a", "bob@b:2200"), 3, False, 6)


def test_what_was_typed_wins_over_the_config_also_in_a_proxy_command():
    found = target("Host *\n User alice\n Port 2222\n ProxyCommand nc -q 50%% %n %h %p %r\n", user="bob", port=99)
    assert (found.user, found.port) == ("bob", 99)
    assert found.proxy_command == "nc -q 50% web web 99 bob"


def test_none_turns_off():
    found = target("Host *\n ProxyCommand none\n ProxyJump none\n IdentityAgent none\n ConnectTimeout 0\n")
    assert (found.proxy_command, found.jumps, found.agent, found.timeout_s) == (None, (), None, 10)


def test_no_config_makes_us_wait_longer_than_ten_seconds():
    assert target("ConnectTimeout 300\n").timeout_s == 10


def test_an_alias_for_the_host_key_has_no_port():
    assert target("Host *\n HostKeyAlias Farm\n", port=2222).known_as == ("farm",)


def test_include_is_followed_and_its_blocks_end_with_it(home):
    (home / ".ssh/conf.d").mkdir()
    (home / ".ssh/conf.d/a").write_text("Host db\n Port 1\n")
    (home / ".ssh/conf.d/b").write_text("Host web\n User included\n")
    found = target("Include conf.d/* missing\nPort 77\nHost web\n User later\n")
    assert (found.user, found.port) == ("included", 77)


@pytest.mark.parametrize("config", ["Include config\n", "nonsense\n", "Port many\n", "CanonicalizeHostname yes\n"])
def test_a_config_that_cannot_be_understood_is_one_line(home, config):
    with pytest.raises(Unavailable, match=r"^web: .*/\.ssh/config cannot be understood: ") as error:
        target(config)
    assert "\n" not in str(error.value)
