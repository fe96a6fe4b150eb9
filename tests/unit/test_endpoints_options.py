"""What is set on a real socket, and what it then says."""

import socket

import pytest
from tcp_pair import sockets

from harness.endpoints import options
from harness.endpoints.loop import now
from harness.spec.settings import Settings

ASKED = {
    "keepalive": 1,
    "idle_s": 2,
    "interval_s": 3,
    "count": 4,
    "user_timeout_ms": 5000,
    "rto_max_ms": 6000,
    "syn_count": 7,
}


@pytest.fixture
def sock():
    with socket.socket() as sock:
        yield sock


def known(sock, asked):
    """Return what of ``asked`` this kernel has: TCP_RTO_MAX_MS is Linux 6.15's."""
    return {name: value for name, value in asked.items() if name in options.read_back(sock)}


def test_what_was_set_is_read_back(sock):
    asked = known(sock, ASKED)
    options.put(sock, asked)
    assert options.read_back(sock) == asked


def test_each_option_is_the_one_that_the_kernel_knows_by_its_name(sock):
    options.put(sock, known(sock, ASKED))
    tcp = socket.IPPROTO_TCP
    assert sock.getsockopt(tcp, socket.TCP_KEEPIDLE) == 2
    assert sock.getsockopt(tcp, socket.TCP_KEEPINTVL) == 3
    assert sock.getsockopt(tcp, socket.TCP_KEEPCNT) == 4
    assert sock.getsockopt(tcp, 18) == 5000  # TCP_USER_TIMEOUT
    assert sock.getsockopt(tcp, socket.TCP_SYNCNT) == 7
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1


def test_what_is_read_back_are_settings_of_the_record(sock):
    found = options.read_back(sock)
    assert set(found) <= set(Settings.__struct_fields__)
    assert found["keepalive"] is False and found["user_timeout_ms"] == 0


def test_the_instant_at_which_keepalive_went_on_is_told_and_only_then(sock):
    before = now()
    armed = options.put(sock, {"keepalive": 1, "idle_s": 2})
    assert before <= armed <= now()
    assert options.put(sock, {"idle_s": 3}) is None
    assert options.put(sock, {"keepalive": 0}) is None
    assert options.put(sock, {"keepalive": None}) is None


def test_keepalive_goes_on_last_so_that_its_first_timer_has_the_full_idle():
    assert options._OPTIONS[-1][0] == "keepalive"


@pytest.mark.parametrize(
    ("name", "value"),
    [("idle_s", 0), ("idle_s", 32_768), ("interval_s", 32_768), ("count", 128), ("syn_count", 128)],
)
def test_what_the_kernel_refuses_is_named(sock, name, value):
    with pytest.raises(OSError) as error:
        options.put(sock, {name: value})
    assert error.value.filename == name


@pytest.mark.parametrize(("name", "low", "high"), [("idle_s", 1, 32_767), ("interval_s", 1, 32_767), ("count", 1, 127)])
def test_the_ends_of_our_ranges_are_the_kernels(sock, name, low, high):
    for value in (low, high):
        options.put(sock, {name: value})
        assert options.read_back(sock)[name] == value


def test_tcp_info_tells_the_timers_of_a_connection():
    here, there = sockets()
    with here, there:
        found = options.tcp_info(here)
        assert found["state"] == 1  # TCP_ESTABLISHED
        assert found["unacked"] == found["retransmits"] == found["probes"] == 0
        assert 0.2 <= found["rto_s"] < 2 and 0 < found["srtt_s"] < 0.2
        assert 0 < found["trip_s"] <= 0.2  # the least of the round trips
        assert 500 < found["snd_mss"] <= 65_535
