"""One connection over loopback: traffic, deadlines, heartbeat, and the first sign that something is wrong.

Deadlines are a few milliseconds; they are judged by order and by how long they took at least, for a busy machine may
always be late.
"""

import gc
import threading

import pytest
from tcp_pair import MS, Pair, broken, established, needs_net_admin

from harness.endpoints import options
from harness.endpoints.loop import now


@pytest.fixture
def pair():
    pair = Pair()
    yield pair
    pair.close()


@pytest.fixture
def small():
    pair = Pair(small=True)
    yield pair
    pair.close()


# -- traffic -----------------------------------------------------------------------------------------------------------


def test_a_ping_is_answered(pair):
    stamps = pair.here.ping()
    assert stamps["before"] <= stamps["after"] <= pair.until_told("here", "pong")["at"]
    assert pair.here.state()["pongs"] == 1 and pair.there.state()["bytes_in"] == 1


def test_several_pings_that_arrive_together_are_all_answered(pair):
    for _ in range(3):
        pair.here.ping()
    pair.until(lambda: pair.here.pongs == 3)


def test_written_data_arrives_and_is_not_answered(pair):
    stamps = pair.here.write(5000)
    assert stamps["accepted"] == 5000 and stamps["before"] <= stamps["after"]
    pair.until(lambda: pair.there.bytes_in == 5000)
    assert pair.here.bytes_out == 5000 and pair.here.bytes_in == 0


def test_a_request_is_held_without_an_answer(pair):
    pair.here.request()
    pair.here.ping()
    pair.until_told("here", "pong")
    assert pair.there.bytes_in == 2 and pair.here.bytes_in == 1


def test_a_stream_goes_on(pair):
    pair.here.stream(100, MS)
    pair.until(lambda: pair.there.bytes_in >= 500)
    assert pair.here.bytes_out % 100 == 0


def test_who_reads_no_more_closes_the_window_and_a_write_gets_stuck(small):
    small.there.pause()
    small.here.fill()
    stuck = small.until_told("here", "blocked")
    assert small.here.blocked_at == stuck["at"] and small.there.bytes_in == 0
    small.there.resume()
    small.until(lambda: small.there.bytes_in > 200_000)
    assert not small.of("here", "sign")


def test_a_stream_adds_nothing_while_its_write_is_stuck(small):
    small.there.pause()
    small.here.fill()
    small.until_told("here", "blocked")
    kept = len(small.here._backlog)
    small.here._refill = None
    small.here.stream(100, MS)
    assert len(small.here._backlog) == kept


def test_the_state_has_what_the_prediction_starts_from(pair):
    state = pair.here.state()
    assert {"read_at", "blocked_at", "ping_due", "unanswered", "awaiting_pong", "tcp"} <= set(state)
    assert state["tcp"]["state"] == 1 and state["signed"] is False


# -- how the other end goes --------------------------------------------------------------------------------------------


def test_a_fin_is_an_end_of_file(pair):
    pair.there.close("graceful")
    sign = pair.until_told("here", "sign")
    assert (sign["sign"], sign["call"], sign["then"]) == ("EOF", "recv", "EOF")


def test_a_reset_is_told_once_and_looks_like_a_clean_close_after_that(pair):
    pair.there.close("reset")
    sign = pair.until_told("here", "sign")
    assert (sign["sign"], sign["call"], sign["then"]) == ("ECONNRESET", "recv", "EOF")
    pair.here.ping()
    assert len(pair.of("here", "sign")) == 1


def test_data_that_nobody_read_turns_the_goodbye_into_a_reset(pair):
    pair.there.pause()
    pair.here.write(10)
    pair.there.close("graceful")
    assert pair.until_told("here", "sign")["sign"] == "ECONNRESET"


def test_a_half_close_is_an_end_of_file_for_one_end_and_the_other_reads_on(pair):
    pair.there.close("half")
    assert pair.until_told("here", "sign")["sign"] == "EOF"
    pair.raw[0].send(b"..")
    pair.until(lambda: pair.there.bytes_in == 2)
    assert not pair.of("there", "sign")


def test_one_that_does_not_read_still_sees_the_reset(pair):
    pair.here.pause()
    pair.there.close("reset")
    assert pair.until_told("here", "sign")["sign"] == "ECONNRESET"


def test_a_write_that_meets_a_closed_end_is_a_sign_of_the_send(pair):
    pair.here.pause()
    pair.there.close("graceful")
    pair.here.ping()  # succeeds, and draws the RST
    assert broken(pair.here.sock)
    pair.here.ping()
    sign = pair.until_told("here", "sign")
    assert (sign["sign"], sign["call"]) == ("EPIPE", "send")


@needs_net_admin
def test_a_socket_that_vanishes_says_nothing_and_the_next_packet_draws_a_reset(pair):
    pair.there.close("vanish")
    assert established(pair.here.sock)
    pair.here.ping()
    assert pair.until_told("here", "sign")["sign"] == "ECONNRESET"


def test_after_a_sign_nothing_ticks_on(pair):
    pair.here.stream(10, MS)
    pair.here.heartbeat(MS, 1000)
    pair.there.close("reset")
    pair.until_told("here", "sign")
    pair.here.stream(10, MS)
    assert pair.timers() == 0


def test_a_sign_within_a_streams_own_write_stops_the_stream(pair):
    pair.here.pause()
    pair.there.close("reset")
    assert broken(pair.here.sock)
    pair.here.stream(10, MS)
    assert len(pair.of("here", "sign")) == 1
    assert pair.timers() == 0


# -- read deadlines ----------------------------------------------------------------------------------------------------


def test_silence_longer_than_the_read_deadline_is_a_sign(pair):
    pair.here.bound_reads(5 * MS, "poll")
    began = pair.here.read_at
    sign = pair.until_told("here", "sign")
    assert (sign["sign"], sign["call"], sign["then"]) == ("deadline", "recv", None)
    assert sign["at"] >= began + 5 * MS
    assert established(pair.here.sock)


def test_all_that_is_read_begins_the_deadline_anew(pair):
    pair.here.bound_reads(20 * MS, "poll")
    began = pair.here.read_at
    pair.loop.at(began + 10 * MS, lambda: pair.there.write(1))
    sign = pair.until_told("here", "sign")
    assert sign["at"] >= pair.here.read_at + 20 * MS
    assert pair.here.read_at >= began + 10 * MS


def test_the_kernel_keeps_the_deadline_where_it_is_asked_to(pair):
    pair.here.bound_reads(5 * MS, "rcvtimeo")
    began = now()
    sign = pair.until_told("here", "sign")
    assert (sign["sign"], sign["call"]) == ("deadline", "recv")
    assert sign["at"] - pair.here.read_at >= 5 * MS
    assert sign["at"] >= began


def test_while_the_kernel_keeps_the_deadline_pings_are_answered_both_ways(pair):
    pair.here.bound_reads(2_000 * MS, "rcvtimeo")
    pair.here.ping()
    pair.until_told("here", "pong")
    pair.there.ping()
    pair.until_told("there", "pong")
    assert not pair.of("here", "sign")


@pytest.mark.parametrize(("how", "sign"), [("graceful", "EOF"), ("reset", "ECONNRESET")])
def test_while_the_kernel_keeps_the_deadline_the_end_is_seen_once(pair, how, sign):
    pair.here.bound_reads(2_000 * MS, "rcvtimeo")
    pair.there.close(how)
    assert pair.until_told("here", "sign")["sign"] == sign
    assert len(pair.of("here", "sign")) == 1


@pytest.mark.parametrize("how", ["graceful", "reset", pytest.param("vanish", marks=needs_net_admin)])
def test_closing_ends_a_read_that_blocks_and_is_no_sign(pair, how):
    pair.here.bound_reads(60_000 * MS, "rcvtimeo")
    thread = pair.here._thread
    pair.here.close(how)
    assert not thread.is_alive()
    if how == "vanish":
        pair.there.ping()
    expected = {"graceful": "EOF", "reset": "ECONNRESET", "vanish": "ECONNRESET"}[how]
    assert pair.until_told("there", "sign")["sign"] == expected
    assert not pair.of("here", "sign")
    assert threading.active_count() == 1


# -- write deadlines ---------------------------------------------------------------------------------------------------


def test_a_write_that_is_stuck_for_longer_than_its_deadline_is_a_sign(small):
    small.there.pause()
    small.here.bound_writes(5 * MS)
    small.here.fill()
    sign = small.until_told("here", "sign")
    assert (sign["sign"], sign["call"]) == ("deadline", "send")
    assert sign["at"] >= small.of("here", "blocked")[-1]["at"] + 5 * MS


def test_a_write_that_goes_on_in_time_is_none(small):
    small.there.pause()
    small.here.bound_writes(60_000 * MS)
    small.here.fill()
    small.until_told("here", "blocked")
    assert small.timers() == 1
    small.here._refill = None
    small.there.resume()
    small.until(lambda: not small.here._backlog)
    assert small.timers() == 0 and small.here.blocked_at is None


# -- heartbeat ---------------------------------------------------------------------------------------------------------


def test_an_answered_heartbeat_goes_on_without_a_sign(pair):
    began = now()
    pair.here.heartbeat(2 * MS, 3)
    pair.until_told("here", "pong", count=4)
    assert now() - began >= 8 * MS
    assert not pair.of("here", "sign") and pair.here.unanswered == 0


@pytest.mark.parametrize("misses", [1, 2, 3])
def test_so_many_unanswered_pings_one_period_later_are_a_sign(pair, misses):
    pair.there.pause()
    began = now()
    pair.here.heartbeat(3 * MS, misses)
    sign = pair.until_told("here", "sign")
    assert (sign["sign"], sign["call"], sign["then"]) == ("heartbeat", "ping", None)
    assert sign["at"] >= began + (misses + 1) * 3 * MS
    assert pair.here.pings == misses


def test_a_late_answer_is_forgiven(pair):
    pair.there.pause()
    pair.here.heartbeat(3 * MS, 1000)
    pair.until(lambda: pair.here.unanswered >= 2)
    pair.there.resume()
    pair.until_told("here", "pong")
    pair.until(lambda: pair.here.unanswered == 0)
    assert not pair.of("here", "sign")


# -- nothing is left ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["graceful", "reset", pytest.param("vanish", marks=needs_net_admin)])
def test_a_closed_connection_leaves_no_timer_and_no_descriptor(pair, how):
    pair.here.heartbeat(MS, 2)
    pair.here.bound_reads(50 * MS, "poll")
    pair.here.stream(10, MS)
    pair.here.close(how)
    assert pair.timers() == 0 and pair.here.sock.fileno() == -1
    gc.collect()


def test_repair_is_the_number_that_linux_has():
    assert options.TCP_REPAIR == 19
