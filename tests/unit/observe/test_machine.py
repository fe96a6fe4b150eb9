import getpass
import json
import platform

from harness.observe.machine import metadata, sysctls


def reader(values):
    def read(name):
        if name not in values:
            raise FileNotFoundError(name)
        return values[name]

    return read


def test_sysctls_are_those_of_the_reader_and_only_those_it_has():
    read = reader({"net/ipv4/tcp_retries2": "8\n", "net/ipv4/tcp_congestion_control": "cubic\n", "net/core/other": "1"})
    assert sysctls(read) == {"net.ipv4.tcp_retries2": "8", "net.ipv4.tcp_congestion_control": "cubic"}


def test_metadata_says_what_it_ran_on():
    found = metadata(reader({"net/ipv4/tcp_retries2": "15\n"}))
    assert found["kernel"] == platform.release()
    assert found["python"] == platform.python_version()
    assert found["hz"] in range(24, 1201)
    assert found["libraries"]["msgspec"]
    assert found["sysctls"] == {"net.ipv4.tcp_retries2": "15"}


def test_metadata_names_no_host_user_or_path(monkeypatch):
    class Uname:
        sysname, nodename, release, version, machine = "Linux", "secret-host", "6.18", "#1 SMP", "x86_64"

    monkeypatch.setattr("harness.observe.machine.os.uname", Uname)
    text = json.dumps(metadata())
    assert "secret-host" not in text
    assert "/home" not in text and f'"{getpass.getuser()}"' not in text
