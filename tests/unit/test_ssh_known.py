import base64
import os
import subprocess
from pathlib import Path

import pytest
from paramiko.hostkeys import HostKeys

from harness.errors import Unavailable
from harness.labs.ssh.config import Target
from harness.labs.ssh.known import HostKey, algorithms, known, verify

ED = HostKey("ssh-ed25519", b"\0\0\0\x0bssh-ed25519 one")
OTHER = HostKey("ssh-ed25519", b"\0\0\0\x0bssh-ed25519 two")
RSA = HostKey("ssh-rsa", b"\0\0\0\x07ssh-rsa")


def line(names, key):
    return f"{names} {key.type} {base64.b64encode(key.blob).decode()} a comment\n"


@pytest.fixture
def check(tmp_path):
    file = tmp_path / "known hosts"

    def run(text, key=ED, known_as=("[web]:2222", "web"), files=None):
        file.write_text(text)
        target = Target(
            typed="alice@web:2222",
            host="web",
            port=2222,
            user="alice",
            known_as=known_as,
            known_files=files or (file,),
            identities=(),
        )
        verify(target, key, known(target))

    run.file = file
    return run


@pytest.mark.parametrize(
    "names",
    [
        "[web]:2222",
        "web",  # as OpenSSH: a key known without the port is good for any
        "db,[WEB]:2222",
        "[w?b]:22*",
        "*,!db",
        HostKeys.hash_host("[web]:2222"),
        HostKeys.hash_host("web"),
    ],
)
def test_a_key_that_is_known_is_accepted(check, names):
    check("# a comment\n\nbad line\nweb ssh-ed25519 !!!\n" + line("db", OTHER) + line(names, ED))


def test_any_of_several_keys_will_do(check):
    check(line("web", OTHER) + line("web", RSA) + line("web", ED))


@pytest.mark.parametrize("names", ["db", "[web]:22", "web.example", "*,!web,![web]:2222", "|1|bad|bad", "|1|"])
def test_an_unknown_key_stops_and_says_how_to_accept_it(check, names):
    with pytest.raises(Unavailable) as error:
        check(line(names, ED))
    said = str(error.value)
    assert said.startswith(f"alice@web:2222: its host key is not known: ssh-ed25519 {ED.fingerprint}. If that")
    assert "\n" not in said
    subprocess.run(said.partition("accept it with: ")[2], shell=True, check=True)
    check(check.file.read_text())


def test_the_command_that_accepts_makes_the_folder_and_minds_an_open_last_line(check, tmp_path):
    text = line("db", OTHER).rstrip()
    for file in (tmp_path / "new folder/known", check.file):
        check.file.write_text(text)
        with pytest.raises(Unavailable) as error:
            check(text, files=(file,))
        subprocess.run(str(error.value).partition("accept it with: ")[2], shell=True, check=True)
        check(check.file.read_text(), files=(file,))
    assert len(check.file.read_text().splitlines()) == 2


@pytest.mark.parametrize("names", ["[web]:2222", HostKeys.hash_host("[web]:2222"), "db,[web]:2222"])
def test_a_changed_key_stops_with_both_fingerprints(check, names):
    with pytest.raises(Unavailable) as error:
        check("# first\n" + line(names, OTHER))
    said = str(error.value)
    assert said.startswith("alice@web:2222: ITS HOST KEY HAS CHANGED, or another host answers in its place: it shows")
    assert ED.fingerprint in said and OTHER.fingerprint in said and f"line 2 of {check.file}" in said
    assert f"ssh-keygen -R '[web]:2222' -f '{check.file}' && echo" in said
    assert "\n" not in said


def test_a_host_that_is_known_by_a_key_of_another_type_has_changed(check):
    with pytest.raises(Unavailable, match="HAS CHANGED"):
        check(line("[web]:2222", RSA))


def test_a_key_of_the_name_without_its_port_is_no_change(check):
    with pytest.raises(Unavailable, match="is not known"):
        check(line("web", OTHER))


def test_a_revoked_key_is_refused_even_where_it_is_known(check):
    with pytest.raises(Unavailable, match="is revoked"):
        check(line("web", ED) + line("@revoked *", ED))
    check(line("web", ED) + line("@revoked *", OTHER))


def test_an_authority_s_key_is_no_host_key(check):
    with pytest.raises(Unavailable, match="is not known"):
        check(line("@cert-authority *", ED))


def test_a_fingerprint_is_as_ssh_keygen_shows_it():
    """ssh-keygen -l says so of the Ed25519 key whose 32 bytes are 0 to 31."""
    key = HostKey("ssh-ed25519", b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + bytes(range(32)))
    assert key.fingerprint == "SHA256:ZkAslGjFiUHdGf/WUL8rQvkib4PTvQatUV0OUQSncCA"


def test_types_that_are_known_are_asked_for_first(check):
    check(line("web", ED) + line("web", RSA) + line("@revoked web", HostKey("ecdsa-sha2-nistp256", b"x")))
    target = Target(
        typed="web", host="web", port=22, user="", known_as=("web",), known_files=(check.file,), identities=()
    )
    supported = ("ecdsa-sha2-nistp256", "rsa-sha2-512", "rsa-sha2-256", "ssh-ed25519")
    assert algorithms(known(target), supported) == (
        "ssh-ed25519",
        "rsa-sha2-512",
        "rsa-sha2-256",
        "ecdsa-sha2-nistp256",
    )
    assert algorithms([], supported) == supported


def test_files_that_are_not_there_know_nothing(check):
    with pytest.raises(Unavailable, match="is not known"):
        check("", files=(Path("/nonexistent/known"), Path(os.devnull)))
