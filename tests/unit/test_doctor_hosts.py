import asyncio
import io
import json
from pathlib import Path

import pytest

from harness.doctor import hosts as doctor
from harness.errors import Unavailable
from harness.labs.ssh.command import NoAgent
from harness.labs.ssh.known import Distrusted, HostKey
from harness.report.hosts import json_lines, ready, summary, write_table
from harness.spec.hosts import Hosts, RemoteHost

FACTS = {
    "can_admin": True,
    "can_raw": True,
    "route_device": "eth0",
    "hz": 250,
    "hz_how": "measured",
    "indices": {"eth0": 2, "eth1": 3},
    "addresses": [
        {"device": "eth0", "ipv": 4, "address": "198.18.0.2", "prefix": 24},
        {"device": "eth1", "ipv": 4, "address": "198.18.1.2", "prefix": 24},
        {"device": "eth1", "ipv": 6, "address": "2001:db8::2", "prefix": 64},
    ],
}


class FakeAgent:
    """Answers as a host's agent does; ``refuse``: its kernel takes no fault."""

    def __init__(self, facts, refuse=False):
        self.facts, self.refuse, self.asked = facts, refuse, []

    async def ask(self, do, **arguments):
        self.asked.append(do)
        if do == "facts":
            return self.facts
        if do == "now":
            return {"at": asyncio.get_running_loop().time() * 1e9}
        errno = 1 if self.refuse and do == "netlink" else 0
        return {
            "before": 0,
            "after": 0,
            "errno": errno,
            "text": "Operation not permitted" if errno else "",
            "answers": [],
        }


class FakeConnection:
    def __init__(self, host, facts, refuse=False):
        self.host, self.agent, self.closed = host, FakeAgent(facts, refuse), False
        self.control, self.python = ("192.0.2.7", 22), "3.11.2"
        self.host_key = HostKey("ssh-ed25519", b"key")

    async def close(self):
        self.closed = True


def two(**client):
    asked = {"addresses": ("198.18.1.2",), **client}
    return Hosts(
        client=RemoteHost(side="client", name_typed="alice@web:2222", user="alice", name="web", port=2222, **asked),
        server=RemoteHost(side="server", name_typed="db", name="db", device="eth1"),
        ssh_config=Path("/etc/my config"),
    )


@pytest.fixture
def examine(monkeypatch):
    """Examine with connections that answer ``facts``, or fail with what is given for a side."""

    def run(hosts=None, failing=None, facts=None, refuse=False):
        made = []

        async def connect(host, hosts, prompts):
            if failing and host.side in failing:
                raise failing[host.side]
            made.append(FakeConnection(host, {**FACTS, **(facts or {})}, refuse))
            return made[-1]

        monkeypatch.setattr(doctor, "connect", connect)
        checks = asyncio.run(doctor.examine_hosts(hosts or two()))
        assert all(connection.closed for connection in made)
        return checks

    return run


def found(checks, side="client"):
    return {check.name: (check.present, check.how) for check in checks if check.side == side}


def test_everything_is_there(examine):
    checks = examine()
    client = found(checks)
    assert all(present for present, _ in client.values()) and ready(checks)
    assert client["login"] == (True, "192.0.2.7 port 22")
    assert client["host key"][1].startswith("ssh-ed25519 SHA256:")
    assert client["data address"] == (True, "198.18.1.2 on eth1")
    assert client["separate control path"] == (True, "SSH by eth0, data by eth1")
    assert client["fault back end"] == (True, "nft netdev")
    assert "from the client's, known to" in found(checks, "server")["clock"][1]
    assert summary(checks) == "These hosts can run experiments."


def test_a_router_is_asked_for_less(examine):
    hosts = two()
    router = RemoteHost(side="router", name_typed="root@r", user="root", name="r")
    checks = examine(Hosts(client=hosts.client, server=hosts.server, router=router))
    assert list(found(checks, "router")) == ["login", "host key", "Python", "privilege"]


@pytest.mark.parametrize(
    ("error", "name", "how"),
    [
        (Unavailable("alice@web:2222: connection refused"), "login", "connection refused"),
        (Distrusted("alice@web:2222: its host key is not known"), "host key", "its host key is not known"),
        (NoAgent("alice@web:2222: it has no python3", "Python"), "Python", "it has no python3"),
        (NoAgent("alice@web:2222: not root", "privilege"), "privilege", "not root"),
    ],
)
def test_how_far_a_login_came(examine, error, name, how):
    checks = examine(failing={"client": error})
    client = found(checks)
    assert client[name] == (False, how)
    assert client["fault back end"][0] is None and client["clock"][0] is None
    assert found(checks, "server")["login"][0] is True
    assert found(checks, "server")["clock"][0] is None
    assert not ready(checks)
    assert summary(checks) == f"These hosts cannot run an experiment: client's {name} missing."


def test_without_privilege_nothing_is_put(examine):
    checks = examine(facts={"can_admin": False})
    client = found(checks)
    assert client["privilege"][0] is False and "CAP_NET_ADMIN" in client["privilege"][1]
    assert client["fault back end"] == (None, "cannot be tried without privilege")


def test_a_kernel_that_takes_no_fault(examine):
    checks = examine(refuse=True)
    present, how = found(checks)["fault back end"]
    assert present is False and "Operation not permitted" in how
    assert not ready(checks)


def test_an_address_that_the_host_has_not(examine):
    client = found(examine(two(addresses=("198.18.9.9",))))
    assert client["data address"][0] is False and "198.18.9.9" in client["data address"][1]
    assert client["fault back end"][0] is None


def test_data_on_the_device_of_ssh_is_told_and_no_hindrance(examine):
    checks = examine(two(addresses=("198.18.0.2",)))
    assert found(checks)["separate control path"] == (False, "data and SSH both go by eth0")
    assert ready(checks)
    assert summary(checks) == "These hosts can run experiments, without client's separate control path."


def test_what_to_do_names_the_host_and_its_config(examine):
    checks = examine(failing={"client": Unavailable("alice@web:2222: connection refused")})
    login = next(check for check in checks if check.name == "login" and check.side == "client")
    assert login.get.endswith("ssh -v -F '/etc/my config' -p 2222 alice@web")
    assert login.host == "alice@web:2222"


def test_the_table_fits_eighty_columns(examine):
    out = io.StringIO()
    checks = examine(failing={"client": Unavailable("alice@web:2222: " + "very long words " * 20)})
    write_table(checks, out, 80)
    text = out.getvalue()
    assert max(map(len, text.splitlines())) <= 80
    flat = " ".join(text.split())
    assert "client: alice@web:2222 login no very long words" in flat and "server: db login yes" in flat
    assert "missing what to do client's login as said above" in flat


def test_json_is_one_object_a_check(examine):
    checks = examine()
    lines = [json.loads(line) for line in json_lines(checks).splitlines()]
    assert len(lines) == len(checks)
    assert set(lines[0]) == {"host", "side", "name", "present", "how", "get", "required"}
