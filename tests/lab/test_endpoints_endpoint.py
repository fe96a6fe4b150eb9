"""Endpoint processes as they run on a host: what they are asked and what they tell, over loopback."""

from pathlib import Path

import pytest

from harness.endpoints.loop import now
from tests.lab.bundled import Bundled, Open
from tests.unit.tcp_pair import MS, needs_net_admin


@pytest.fixture(scope="module")
def agent():
    agent = Bundled()
    agent.fork("a")
    agent.fork("b")
    yield agent
    code, complaint = agent.end()
    assert (code, complaint) == (0, "")


@pytest.fixture
def opened(agent):
    opened = Open(agent)
    yield opened
    for end in ("a", "b"):
        opened.ask("close", end, how="reset")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_connection_is_known_by_its_ports_at_both_ends(agent, host):
    try:
        opened = Open(agent, host=host)
    except AssertionError as error:
        if "EADDRNOTAVAIL" in str(error) or "EAFNOSUPPORT" in str(error):
            pytest.skip(f"NOT TESTED: this machine has no {host} on loopback")
        raise
    assert opened.accepted["port"] == opened.client_port != opened.server_port
    assert opened.began["before"] <= opened.began["after"] <= opened.began["at"]
    opened.ask("ping")
    assert opened.event("pong")["at"] <= now()
    for end in ("a", "b"):
        opened.ask("close", end, how="reset")


def test_settings_are_read_back_and_the_instant_of_arming_is_told(opened):
    before = now()
    done = opened.ask("set", asked={"keepalive": 1, "idle_s": 2, "interval_s": 1, "count": 3})
    assert before <= done["armed"] <= now()
    assert (done["settings"]["keepalive"], done["settings"]["idle_s"], done["settings"]["count"]) == (True, 2, 3)
    assert opened.ask("set", asked={})["armed"] is None


def test_settings_can_be_on_the_socket_before_it_connects(agent):
    opened = Open(agent, asked={"syn_count": 2, "user_timeout_ms": 700})
    assert (opened.began["settings"]["syn_count"], opened.began["settings"]["user_timeout_ms"]) == (2, 700)
    assert opened.event("connecting")["settings"] == opened.began["settings"]
    for end in ("a", "b"):
        opened.ask("close", end, how="reset")


def test_what_the_kernel_refuses_is_named_and_the_connection_lives_on(agent, opened):
    answer = agent.refused("set", "a", conn=opened.conn, asked={"count": 128})
    assert (answer["error"], answer["what"]) == ("EINVAL", "count")
    opened.ask("ping")
    opened.event("pong")


def test_a_refused_connect_is_a_sign_not_an_error(agent):
    port = agent.ask("listen", "b", conn="nobody", host="127.0.0.1")["port"]
    agent.ask("close", "b", conn="nobody", how="vanish")
    agent.ask("bind", "a", conn="nobody", host="127.0.0.1")
    answer = agent.ask("connect", "a", conn="nobody", host="127.0.0.1", port=port)
    assert (answer["sign"], answer["call"]) == ("ECONNREFUSED", "connect")
    assert answer["before"] <= answer["at"]


def test_a_connect_that_fails_at_once_is_a_sign_too(agent):
    agent.ask("bind", "a", conn="lost", host="127.0.0.1")
    # From loopback's address there is no way to a network (RFC 1122 3.2.1.3): refused without a packet.
    answer = agent.ask("connect", "a", conn="lost", host="198.18.0.1", port=9)
    assert answer["call"] == "connect" and answer["sign"] not in ("EOF", "deadline")


def test_traffic_is_begun_and_told_of(opened):
    assert opened.ask("write", count=100)["accepted"] == 100
    opened.ask("request")
    opened.ask("stream", count=10, every=MS)
    opened.ask("ping")
    opened.event("pong")
    state = opened.ask("state")
    assert state["bytes_out"] >= 102 and state["pongs"] == 1
    stamp = opened.ask("instant")
    assert stamp["before"] <= stamp["after"]


def test_a_blocked_write_is_told_and_its_deadline_is_a_sign(agent):
    opened = Open(agent, small=True)
    opened.ask("pause", "b")
    opened.ask("small_send_buffer")
    opened.ask("bound_writes", deadline=5 * MS)
    opened.ask("fill")
    blocked = opened.event("blocked")
    sign = opened.event("sign")
    assert (sign["sign"], sign["call"]) == ("deadline", "send")
    assert sign["at"] >= blocked["at"] + 5 * MS
    opened.ask("resume", "b")
    for end in ("a", "b"):
        opened.ask("close", end, how="reset")


@pytest.mark.parametrize("by", ["poll", "rcvtimeo"])
def test_a_read_deadline_is_a_sign(opened, by):
    began = opened.ask("bound_reads", deadline=5 * MS, by=by)["at"]
    sign = opened.event("sign")
    assert (sign["sign"], sign["call"]) == ("deadline", "recv")
    assert sign["at"] - began >= 5 * MS - MS  # ``at`` is stamped after the deadline was begun


def test_a_heartbeat_without_answers_is_a_sign(opened):
    opened.ask("pause", "b")
    began = now()
    opened.ask("heartbeat", every=2 * MS, misses=2)
    sign = opened.event("sign")
    assert sign["sign"] == "heartbeat" and sign["at"] >= began + 6 * MS


@pytest.mark.parametrize(
    ("how", "sign"),
    [("graceful", "EOF"), ("half", "EOF"), ("reset", "ECONNRESET")],
)
def test_the_other_end_closes(opened, how, sign):
    stamps = opened.ask("close", "b", how=how)
    assert stamps["before"] <= stamps["after"]
    assert opened.event("sign")["sign"] == sign


@needs_net_admin
def test_the_other_end_vanishes(opened):
    opened.ask("close", "b", how="vanish")
    assert opened.ask("state")["tcp"]["state"] == 1
    opened.ask("ping")
    assert opened.event("sign")["sign"] == "ECONNRESET"


def test_closing_what_is_gone_is_no_error(opened):
    opened.ask("close", how="graceful")
    opened.ask("close", how="vanish")


def test_closing_ends_a_connect_that_is_under_way(agent):
    conn = "waiting"
    # A full backlog drops further SYNs: the first two connections fill it (listen(2): backlog 1 holds two).
    port = agent.ask("listen", "b", conn="full", host="127.0.0.1")["port"]
    agent.ask("stop", name="b")
    try:
        for number in range(2):
            agent.ask("bind", "a", conn=f"fill{number}", host="127.0.0.1")
            agent.ask("connect", "a", conn=f"fill{number}", host="127.0.0.1", port=port)
        mine = agent.ask("bind", "a", conn=conn, host="127.0.0.1")["port"]
        agent.send("connect", "a", conn=conn, host="127.0.0.1", port=port)
        agent.event("connecting", conn=conn)
        assert mine in syn_sent()
        agent.ask("close", "a", conn=conn, how="reset")
        assert mine not in syn_sent()
    finally:
        agent.ask("continue", name="b")
    agent.event("accepted", conn="full")
    for number in range(2):
        agent.ask("close", "a", conn=f"fill{number}", how="reset")
    agent.ask("close", "b", conn="full", how="reset")


def syn_sent():
    """Return the local ports of this machine's sockets in SYN_SENT (proc(5), /proc/net/tcp)."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {int(row[1].partition(":")[2], 16) for row in rows if row[3] == "02"}
