"""The guests are really separate kernels, and are what the other tests take them for."""

import os
import signal
import socket
from pathlib import Path

import pytest

from tests.lab.program import eventually
from tests.ssh.guests import Guests
from tests.ssh.keys import Keys
from tests.ssh.plan import Plan


@pytest.mark.slow
def test_each_guest_has_a_kernel_of_its_own(guests: Guests) -> None:
    boots = {guests.ssh(name, "cat /proc/sys/kernel/random/boot_id").stdout for name in guests.hosts}
    assert len(boots | {Path("/proc/sys/kernel/random/boot_id").read_text()}) == 3


@pytest.mark.slow
def test_a_cut_data_path_spares_control(guests: Guests) -> None:
    for ipv in (4, 6):
        assert guests.reaches("client", "server", ipv, 1)
    guests.cut("server", "data")
    assert not guests.reaches("client", "server")
    assert guests.ssh("server", "hostname").stdout == "server\n"
    guests.heal("server", "data")
    assert guests.reaches("client", "server", 4, 1)


@pytest.mark.slow
def test_nothing_is_left_in_a_guest(guests: Guests) -> None:
    assert guests.becomes_alone("client")
    assert guests.files("client") == []
    assert guests.tables("client") == []
    assert "clsact vec1" not in guests.qdiscs("client")
    guests.inside("client", "tc", "qdisc", "add", "dev", "vec1", "clsact")
    assert "clsact vec1" in guests.qdiscs("client")
    guests.inside("client", "tc", "qdisc", "del", "dev", "vec1", "clsact")


@pytest.mark.slow
def test_a_guest_killed_is_gone_without_a_word_and_comes_back_another(guests: Guests) -> None:
    boot = guests.ssh("server", "cat /proc/sys/kernel/random/boot_id").stdout
    with guests.entered(), socket.create_connection((guests.hosts["server"].control, 2222), 2) as sock:
        sock.settimeout(2)
        assert sock.recv(256).startswith(b"SSH-2.0-")
        sock.settimeout(0.3)
        os.kill(int((guests.folder / "server.pid").read_text()), signal.SIGKILL)
        with pytest.raises(TimeoutError):
            sock.recv(256)
    assert not guests.reaches("client", "server")
    guests.power_on("server")
    assert guests.ssh("server", "cat /proc/sys/kernel/random/boot_id").stdout not in ("", boot)
    assert guests.reaches("client", "server", 4, 1)


@pytest.mark.slow
def test_the_commands_of_hosts_toml_switch_off_and_on(guests: Guests) -> None:
    lines = guests.hosts_file.read_text().splitlines()
    off, on = [line.split('"')[1] for line in lines if line.startswith("power_o")][:2]
    assert guests.run("sh", "-c", off).returncode == 0
    done = guests.run("sh", "-c", on)
    assert done.returncode == 0, done.stderr
    assert guests.ssh("client", "true").returncode == 0


@pytest.mark.slow
def test_a_closed_set_leaves_no_process_and_a_killed_guest_no_helper(run_keys: Keys, tmp_path: Path) -> None:
    def left() -> list[str]:
        mark = f"uml_dir={tmp_path}/uml".encode()
        found = []
        for process in Path("/proc").iterdir():
            if process.name.isdigit():
                try:
                    if mark in (process / "cmdline").read_bytes():
                        found.append(process.name)
                except OSError:
                    continue
        return found

    guests = Guests(Plan(str(tmp_path), kind="guest"), run_keys)
    try:
        both = len(left())
        guests.power_off("client")
        assert eventually(lambda: len(left()) == both // 2)
    finally:
        guests.close()
    assert eventually(lambda: not left())
    assert not Path.home().joinpath(".uml", "client").exists()
