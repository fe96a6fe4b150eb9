"""What an agent does on its host besides running endpoints: netlink, sysctls, facts."""

import errno
import os
import sys

import pytest

from harness.observe import jiffies
from netns import nft
from tests.lab.bundled import Bundled
from tests.lab.nethost import CUT, HEAL, alone, encoded, tables


@pytest.fixture
def host():
    agent = alone()
    yield agent
    assert agent.end() == (0, "")


def test_bytes_go_to_the_kernel_and_its_answers_come_back(host):
    before = host.ask("now")["at"]
    done = host.ask("netlink", **CUT)
    assert done["errno"] == 0 and before <= done["before"] <= done["after"] <= host.ask("now")["at"]
    assert tables(host) == 1
    assert host.ask("netlink", **HEAL["netlink"])["errno"] == 0
    assert tables(host) == 0


def test_a_refusal_of_the_kernel_is_an_answer(host):
    for _ in range(2):
        done = host.ask("netlink", **HEAL["netlink"])
        assert (done["errno"], done["text"]) == (errno.ENOENT, os.strerror(errno.ENOENT))
    assert host.ask("netlink", **HEAL["netlink"], tolerate=[errno.ENOENT])["errno"] == 0
    assert host.ask("netlink", **CUT)["errno"] == 0  # nothing of the refused ones is in the way
    again = host.ask("netlink", **encoded(nft.new_chain("out", nft.FORWARD)))
    assert again["errno"] in (errno.EEXIST, errno.EOPNOTSUPP)


def test_what_cannot_be_done_is_answered_and_the_agent_lives_on(host):
    gone = host.refused("netlink", protocol=31, data="", wait=[1])
    assert gone["error"] == "EPROTONOSUPPORT" and gone["what"] == "netlink" and gone["text"]
    assert host.refused("tap", devices={"data": "eth77"})["what"] == "tap eth77"
    assert host.refused("sysctl", name="net.ipv4.no_such")["error"] == "ENOENT"
    assert host.refused("sysctl", name="../../etc/passwd")["what"] is None
    assert host.refused("undo", name="nothing")["what"] is None
    assert host.refused("promise", name="bad", undo=[{"write": {}}])["what"] is None
    assert host.refused("drain")["text"] == "drain: no tap was opened"
    assert host.refused("fly")["text"] == "fly: no question 'fly'"
    assert host.refused("now", then=1)["error"] == "not understood"
    assert host.ask("now")


def test_a_host_without_privilege_says_so():
    agent = Bundled("unshare", "--user")
    try:
        found = agent.ask("facts")
        assert not found["can_admin"] and not found["can_raw"]
        assert agent.refused("tap", devices={"lo": "lo"})["error"] == "EPERM"
        assert agent.ask("netlink", **CUT)["errno"] == errno.EPERM
    finally:
        assert agent.end() == (0, "")


def test_a_sysctl_is_read_set_and_undone(host):
    name = "net.ipv4.tcp_retries2"
    old = host.ask("sysctl", name=name)["value"]
    assert host.ask("sysctl", name=name, value=old + 1)["value"] == old + 1
    assert host.ask("sysctl", name=name, value=old + 2)["value"] == old + 2
    assert host.ask("undo", name="sysctl:" + name)["errno"] == 0
    assert host.ask("sysctl", name=name) == {"value": old, "text": str(old)}
    assert host.refused("sysctl", name=name, value=-1)["error"] == "EINVAL"
    assert host.ask("sysctl", name="net.ipv4.no_such", missing=7)["value"] == 7
    assert host.ask("sysctl", name="net.ipv4.tcp_congestion_control")["value"] is None


def test_the_facts_of_a_host(host):
    found = host.ask("facts")
    assert found["kernel"] == os.uname().release and found["byteorder"] == sys.byteorder
    assert found["python"] == host.ready["python"]
    assert (found["uid"], found["can_admin"], found["can_raw"]) == (0, True, True)
    assert {"device": "lo", "ipv": 4, "address": "127.0.0.1", "prefix": 8} in found["addresses"]
    assert found["ssh_connection"] is found["route_device"] is None
    assert (found["hz"], found["hz_how"]) == jiffies.discover()
    clock = jiffies.jiffy_clock(found["hz"])
    if clock is not None and found["jiffy_offset_ticks"] is not None:
        assert (found["tick_ns"], found["jiffy_offset_ticks"]) == (clock.tick_ns, clock.offset)


@pytest.mark.parametrize("without", [(), ("sh", "-c", 'env -i "$@"; exit $?', "sudo")])
def test_by_what_device_the_ssh_client_is_reached(without):
    connection = "127.9.9.9 40000 127.0.0.1 22"
    agent = alone("env", f"SSH_CONNECTION={connection}", *without)
    try:
        found = agent.ask("facts")
        assert (found["ssh_connection"], found["route_device"]) == (connection, "lo")
    finally:
        assert agent.end() == (0, "")


def test_an_address_without_a_route_has_no_device():
    agent = alone("env", "SSH_CONNECTION=198.18.0.1 40000 198.18.0.2 22")
    try:
        assert agent.ask("facts")["route_device"] is None
    finally:
        assert agent.end() == (0, "")
