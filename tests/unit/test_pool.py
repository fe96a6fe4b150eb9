"""The pool: its schedule, its checks on real sockets, and the counting."""

import io
import os
import select
import socket

import pytest
from rich.console import Console
from tcp_pair import Pair, broken, sockets

from harness.endpoints.pool_checks import CHECKS
from harness.errors import Refused
from harness.observe.packets import Packet
from harness.pool import count, schedule
from harness.pool.count import Row, Seen, Tried
from harness.pool.fins import Fins
from harness.pool.options import OPTIONS, Asked, asked
from harness.pool.record import Checked, Evidence, Latency, PoolRecord, Race, Settings, Shares
from harness.pool.strategies import STRATEGIES
from harness.report import pool as report
from harness.report.pool_page import markdown

MS = 1_000_000
SERVER_PORT, CLIENT_PORT = 7000, 40000


def typed(**given):
    return {option.parameter: False if option.is_flag else None for option in OPTIONS} | given


class TestSchedule:
    @pytest.mark.parametrize("use", schedule.RANGES)
    @pytest.mark.parametrize("seed", [1, 2, 99])
    def test_the_share_of_longer_gaps_is_the_same_whatever_the_seed(self, use, seed):
        drawn = schedule.gaps(2000, use, 0.5, seed)
        share = sum(gap > 0.5 for gap in drawn) / len(drawn)
        assert share == pytest.approx(schedule.longer_share(use), abs=1 / 2000)
        low, high = schedule.RANGES[use]
        assert low * 0.5 <= min(drawn) and max(drawn) <= high * 0.5

    def test_another_seed_is_another_order_and_the_same_seed_the_same(self):
        assert schedule.gaps(50, "light", 1, 1) == schedule.gaps(50, "light", 1, 1) != schedule.gaps(50, "light", 1, 2)

    def test_each_part_of_the_run_has_its_part_of_the_longer_gaps(self):
        drawn = schedule.gaps(2000, "light", 1.0, 1)
        for part in range(0, 2000, 500):
            assert sum(gap > 1 for gap in drawn[part : part + 500]) == pytest.approx(250, abs=50)

    @pytest.mark.parametrize("places", [1, 7, 26])
    def test_the_places_share_the_requests_and_every_number_is_there_once(self, places):
        plan = schedule.plan(100, "light", 0.5, places, 1)
        assert len(plan) == places
        assert sorted(number for place in plan for number, _ in place.requests) == list(range(100))
        assert max(len(p.requests) for p in plan) - min(len(p.requests) for p in plan) <= 1

    @pytest.mark.parametrize("use", schedule.RANGES)
    @pytest.mark.parametrize("server", ["alive", "crashed", "nat-forgot"])
    def test_the_default_run_has_two_thousand_requests_within_a_minute(self, use, server):
        wanted = Asked(use=use, server=server)
        assert wanted.requests == 2000 and wanted.lasts_s < 50


class TestOptions:
    def test_nothing_typed_is_the_default(self):
        assert asked(typed()) == Asked()

    def test_what_is_typed_is_asked(self):
        wanted = asked(
            typed(strategy="peek,none,peek", use="edge", idle_timeout="200ms", prepare="0", ipv="6", pool="3")
        )
        assert (wanted.strategies, wanted.use, wanted.idle_s) == (("peek", "none"), "edge", 0.2)
        assert (wanted.prepare_s, wanted.ipv, wanted.pool) == (0.0, 6, 3)

    @pytest.mark.parametrize(
        ("option", "value"),
        [
            ("strategy", "pray"),
            ("server", "gone"),
            ("use", "busy"),
            ("close", "reset"),
            ("requests", "19"),
            ("requests", "100001"),
            ("idle-timeout", "49ms"),
            ("idle-timeout", "61"),
            ("nat-timeout", "0"),
            ("nat-timeout", "1500ms"),
            ("on-expiry", "shrug"),
            ("down", "1"),
            ("prepare", "11"),
            ("prepare", "1"),
            ("work", "1"),
            ("deadline", "1ms"),
            ("retries", "0"),
            ("retries", "21"),
            ("backoff", "0"),
            ("hedge-after", "11"),
            ("retry-on", "luck"),
            ("pool", "0"),
            ("pool", "401"),
            ("ipv", "5"),
            ("seed", "-1"),
        ],
    )
    def test_a_refused_value_is_one_line_that_names_the_option(self, option, value):
        with pytest.raises(Refused, match=rf"^--{option}: [^\n]+(allowed|takes)[^\n]*$"):
            asked(typed(**{option.replace("-", "_"): value}))

    @pytest.mark.parametrize(
        "given",
        [
            {"down": "3"},
            {"nat_timeout": "2"},
            {"on_expiry": "reset"},
            {"server": "nat-forgot", "idle_timeout": "1"},
            {"server": "nat-forgot", "close": "half"},
            {"strategy": "none", "retries": "2"},
            {"strategy": "retry", "backoff": "10ms"},
            {"strategy": "peek", "hedge_after": "10ms"},
            {"strategy": "peek", "retry_on": "new"},
        ],
    )
    def test_an_option_without_effect_is_refused(self, given):
        with pytest.raises(Refused, match="has no effect without"):
            asked(typed(**given))

    def test_a_run_of_hours_is_refused(self):
        with pytest.raises(Refused, match=r"^--requests: 100000 .*at most 1 h"):
            asked(typed(requests="100000", pool="1"))


# What each check says of a connection that is: healthy, healthy with data unread, closed by the peer, reset by it.
_SAYS = {
    "read": (False, False, True, True),
    "peek": (False, False, True, True),
    "poll": (False, False, True, True),
    "so-error": (False, False, False, True),
    "tcp-info": (False, False, True, True),
    "zero-recv": (False, True, True, False),
    "zero-read": (True, True, True, True),
}


def _in_state(state):
    client, server = sockets()
    client.setblocking(False)
    if state == "reset":
        client.send(b"unread")  # close() with unread data sends RST
        server.recv(1)
    if state == "data":
        server.send(b"data")
    elif state != "healthy":
        server.close()
    if state == "reset":
        assert broken(client)
    return client, server


class TestChecks:
    def test_every_check_of_a_strategy_is_there(self):
        assert {s.check for s in STRATEGIES.values() if s.kind == "check"} == CHECKS.keys() == _SAYS.keys()

    @pytest.mark.parametrize("check", _SAYS)
    def test_what_it_says_in_each_state(self, check):
        for state, says in zip(("healthy", "data", "closed", "reset"), _SAYS[check], strict=True):
            client, server = _in_state(state)
            with client, server:
                if state in ("data", "closed"):
                    _wait_readable(client)
                assert CHECKS[check](client) is says, state

    def test_python_s_recv_of_nothing_is_no_system_call_and_proves_nothing(self):
        client, server = sockets()
        with client, server:
            client.setblocking(False)
            assert client.recv(0) == b"" == os.read(client.fileno(), 0)  # healthy
            with pytest.raises(BlockingIOError):
                client.recvmsg(0, 0, socket.MSG_DONTWAIT)

    def test_one_byte_is_eaten_by_read_and_by_no_other(self):
        for name, check in CHECKS.items():
            client, server = _in_state("data")
            with client, server:
                _wait_readable(client)
                check(client)
                assert client.recv(10) == (b"ata" if name == "read" else b"data")


def _wait_readable(sock):
    assert select.select([sock], [], [], 5)[0]


def _fins(*instants, flags="FA"):
    fins = Fins()
    for at in instants:
        fins.see(Packet(at / 1e9, "r-client", True, 4, "s", "c", SERVER_PORT, CLIENT_PORT, flags=flags))
    return fins


def _tried(**changes):
    base = {"opened": 0, "new": False, "taken": 100 * MS, "ready": 100 * MS, "wrote": 105 * MS, "ended": 106 * MS}
    return Tried(**({"port": CLIENT_PORT, "end": "EOF"} | base | changes))


def _seen(tried, fins, outcome="failed", executed=0, **more):
    row = Row(number=0, asked=100 * MS, done=tried.ended, outcome=outcome, sign="", tries=[tried])
    seen = Seen(server_ports=[SERVER_PORT], fins=fins, rows=[row], **more)
    seen.executed[0] = executed
    return seen


class TestCounting:
    @pytest.mark.parametrize(
        ("fin_ms", "between", "crossed", "missed"), [(50, 0, 0, 1), (102, 1, 0, 0), (105.5, 0, 1, 0), (99.9, 1, 0, 0)]
    )
    def test_the_instant_of_the_fin_tells_a_blind_check_from_a_race(self, fin_ms, between, crossed, missed):
        seen = _seen(_tried(), _fins(fin_ms * MS), closed={CLIENT_PORT: [int(fin_ms * MS) - 1000]})
        assert count.race(seen) == Race(between=between, crossed=crossed, share=between + crossed)
        assert count.checked(seen) == Checked(stale=missed, missed=missed)

    def test_a_new_connection_and_one_that_answered_are_no_race(self):
        closed = {CLIENT_PORT: [102 * MS]}
        assert count.race(_seen(_tried(new=True), _fins(102 * MS), closed=closed)).share == 0
        assert count.race(_seen(_tried(end="answer"), _fins(107 * MS), "answered", closed=closed)).share == 0

    def test_a_request_that_was_there_when_the_server_closed_draws_rst_and_is_a_race(self):
        told = _tried(end="ECONNRESET")
        seen = _seen(told, _fins(105.6 * MS, flags="R"), closed={CLIENT_PORT: [int(105.5 * MS)]})
        assert count.race(seen) == Race(crossed=1, share=1.0)

    def test_a_rst_of_a_nat_is_no_race(self):
        assert count.race(_seen(_tried(end="ECONNRESET"), _fins(105.6 * MS, flags="R"))).share == 0

    def test_the_fin_that_answers_the_client_s_own_close_is_no_excuse_for_a_false_alarm(self):
        at = 60 * MS
        seen = _seen(_tried(new=True), _fins(at + 100_000), caught=[(CLIENT_PORT, 0, at)])
        assert count.checked(seen).false_alarms == 1
        seen.closed = {CLIENT_PORT: [at + 50_000]}  # the server closed by itself at that very moment
        assert count.checked(seen).false_alarms == 0

    def test_a_fin_of_an_earlier_connection_on_the_same_ports_is_not_this_one_s(self):
        seen = _seen(_tried(opened=60 * MS), _fins(50 * MS, 102 * MS), closed={CLIENT_PORT: [49 * MS, 101 * MS]})
        assert count.race(seen).between == 1

    def test_what_was_taken_out_without_a_fin_on_the_router_is_a_false_alarm(self):
        caught = [(CLIENT_PORT, 0, 60 * MS), (CLIENT_PORT, 60 * MS, 70 * MS)]
        seen = _seen(_tried(new=True), _fins(50 * MS), caught=caught)
        assert count.checked(seen) == Checked(stale=1, caught=1, false_alarms=1)

    @pytest.mark.parametrize(
        ("outcome", "executed", "never", "unsaid", "twice"),
        [("failed", 0, 1, 0, 0), ("failed", 1, 0, 1, 0), ("lost", 2, 0, 1, 1), ("answered", 2, 0, 0, 1)],
    )
    def test_what_was_told_and_what_was_done_are_counted_apart(self, outcome, executed, never, unsaid, twice):
        shares = count.shares(_seen(_tried(), _fins(), outcome, executed))
        assert getattr(shares, outcome) == 1 and shares.answered + shares.failed + shares.lost == 1
        assert (shares.never_executed, shares.executed_unanswered, shares.executed_twice) == (never, unsaid, twice)

    def test_the_witnesses_agree(self):
        assert count.evidence(_seen(_tried(), _fins(50 * MS)), 1).holds

    @pytest.mark.parametrize(
        ("seen", "why"),
        [
            (_seen(_tried(end="answer"), _fins(), "answered", 0), "never executed"),
            (_seen(_tried(), _fins()), "did not see"),
            (_seen(_tried(), _fins(50 * MS), lost_packets=3), "no room"),
            (_seen(_tried(), _fins(50 * MS), controls=[(1, 5, 0)]), "no control"),
        ],
    )
    def test_where_they_do_not_it_is_said(self, seen, why):
        evidence = count.evidence(seen, 1)
        assert not evidence.holds and why in evidence.missing[0]

    def test_a_request_without_an_outcome_is_missed(self):
        assert "1 outcomes of 2 requests" in count.evidence(_seen(_tried(), _fins(50 * MS)), 2).missing

    def test_what_the_caller_takes_itself_is_no_latency(self):
        seen = _seen(_tried(end="answer"), _fins(), "answered", 1)
        found = count.latency(seen, [0.0004])
        assert found.median_s == pytest.approx(0.001) and found.added_median_s == pytest.approx(0.0006)

    def test_only_what_leaves_toward_the_client_counts(self):
        fins = Fins()
        for device, outgoing in (("r-client", False), ("r-server", True)):
            fins.see(Packet(1.0, device, outgoing, 4, "s", "c", SERVER_PORT, CLIENT_PORT, flags="FA"))
        assert fins.end(SERVER_PORT, CLIENT_PORT, 0, 2 * 10**9) is None


def _record(strategy, **changes):
    wanted = Asked()
    shares = Shares(answered=1.0, failed=1.0, lost=1.0, never_executed=0.0, executed_unanswered=1.0, executed_twice=1.0)
    latency = Latency(added_median_s=0.12345, added_p99_s=0.54321, control_median_s=0.0002, control_p99_s=0.001)
    settings = {name: getattr(wanted, name, None) for name in Settings.__struct_fields__}
    base = {
        "settings": Settings(**settings),
        "requests": 2000,
        "longer_gaps": 0.5,
        "shares": shares,
        "checked": Checked(stale=1000, caught=1000, false_alarms=1000),
        "race": Race(between=20, crossed=2, share=0.011),
        "latency": latency,
        "signs": {},
        "tries": 2000,
        "connections_opened": 1,
        "evidence": Evidence(holds=True),
        "lasted_s": 40.0,
        "lab": {},
    }
    return PoolRecord(strategy=strategy, **(base | changes))


class TestReport:
    def _shown(self, records):
        out = io.StringIO()
        report.show(records, Console(file=out, width=80))
        return out.getvalue()

    def test_it_fits_eighty_columns_and_cuts_nothing_off(self):
        shown = self._shown([_record(name) for name in STRATEGIES])
        assert max(len(line) for line in shown.splitlines()) <= 80
        assert "…" not in shown and all(name in shown for name in STRATEGIES)
        assert "100.0" in shown and "123.45" in shown

    def test_the_race_is_told_in_a_sentence(self):
        shown = " ".join(self._shown([_record("none"), _record("peek")]).split())
        assert "22 of 2000 requests" in shown and "20 times" in shown

    def test_as_markdown_every_row_has_every_column(self):
        table = markdown([_record("none"), _record("peek")]).splitlines()
        assert len(table) == 4 and len({line.count("|") for line in table}) == 1
        assert table[3].startswith("| peek | 100.0 |")

    def test_what_is_not_proved_is_said(self):
        shown = self._shown([_record("peek", evidence=Evidence(holds=False, missing=["3 ends unseen"]))])
        assert "peek: NOT PROVED: 3 ends unseen" in shown


def test_the_check_of_a_quiet_pair_leaves_it_usable():
    pair = Pair()
    try:
        for name in ("read", "peek", "poll", "so-error", "tcp-info", "zero-recv"):
            assert not CHECKS[name](_nonblocking(pair.raw[0])), name
        pair.here.ping()
        pair.until_told("here", "pong")
    finally:
        pair.close()


def _nonblocking(sock):
    sock.setblocking(False)
    return sock
