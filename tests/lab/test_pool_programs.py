"""The pool's two programs, client and server, over loopback: real connections, closed by real idle timeouts."""

import socket

import msgspec
import pytest

from harness.pool.count import Row
from tests.lab.bundled import Bundled

MS = 1_000_000


@pytest.fixture
def agent():
    agent = Bundled()
    yield agent
    assert agent.end() == (0, "")


def _run(agent, gaps_ms, *, check="", idle_ms=60, how="close", work=0, places=None, **tactics):
    """Run client and server over loopback; return the rows, what was executed, and the "done"."""
    agent.fork("server")
    agent.fork("client")
    port = agent.ask(
        "pool_serve", "server", conn="p", host="127.0.0.1", port=0, idle=idle_ms * MS, how=how, work=work * MS
    )["port"]
    if places is None:
        places = [[0, [[number, gap * MS] for number, gap in enumerate(gaps_ms)]]]
    told = {"tries": 1, "backoff": 0, "hedge": 0, "patience": 400 * MS, "deadline": 400 * MS, "prepare": 0, "new": True}
    agent.ask(
        "pool_run",
        "client",
        conn="p",
        host="127.0.0.1",
        port=port,
        places=places,
        controls=[0],
        check=check,
        tactics=told | tactics,
    )
    rows = msgspec.convert(agent.event("requests")["rows"], list[Row])
    done = agent.event("done")
    report = agent.ask("pool_report", "server", conn="p")
    executed = {number: times for number, times in report["executed"] if number < 1 << 40}
    return sorted(rows, key=lambda row: row.number), executed, done, report


class TestPrograms:
    def test_without_a_check_a_closed_connection_costs_the_request(self, agent):
        rows, executed, done, report = _run(agent, [10, 120, 10])
        assert [row.outcome for row in rows] == ["answered", "failed", "answered"]
        assert rows[1].sign == "EOF" and executed == {0: 1, 2: 1}
        assert report["closed"] and done["caught"] == []
        assert len(done["controls"]) == 1 and done["controls"][0][2] > done["controls"][0][1]

    @pytest.mark.parametrize("check", ["read", "peek", "poll", "tcp-info", "zero-recv", "background"])
    def test_a_check_that_sees_fin_saves_it(self, agent, check):
        rows, executed, done, _ = _run(agent, [10, 100, 10], check=check)
        assert [row.outcome for row in rows] == ["answered"] * 3
        assert executed == {0: 1, 1: 1, 2: 1} and len(done["caught"]) >= 1
        if check != "background":
            assert [row.tries[0].new for row in rows] == [False, True, False]

    def test_so_error_does_not_see_fin(self, agent):
        rows, _, done, _ = _run(agent, [120], check="so-error")
        assert rows[0].outcome == "failed" and done["caught"] == []

    def test_zero_read_throws_healthy_connections_away(self, agent):
        rows, _, done, _ = _run(agent, [5, 5, 5], check="zero-read")
        assert [row.outcome for row in rows] == ["answered"] * 3
        assert len(done["caught"]) == 3 and all(row.tries[0].new for row in rows)

    def test_no_check_sees_a_close_that_comes_while_the_caller_prepares(self, agent):
        rows, *_ = _run(agent, [20], check="peek", prepare=100 * MS)
        first = rows[0].tries[0]
        assert rows[0].outcome == "failed" and first.wrote - first.ready >= 100 * MS

    def test_a_retry_on_a_new_connection_saves_it(self, agent):
        rows, executed, *_ = _run(agent, [120], tries=2)
        assert rows[0].outcome == "answered" and [t.end for t in rows[0].tries] == ["EOF", "answer"]
        assert executed == {0: 1}

    def test_a_retry_on_another_stale_connection_does_not(self, agent):
        places = [[0, [[0, 150 * MS]]], [0, [[1, 400 * MS]]]]
        rows, *_ = _run(agent, [], places=places, tries=2, new=False)
        assert rows[0].outcome == "failed" and [t.end for t in rows[0].tries] == ["EOF", "EOF"]
        assert {t.new for t in rows[0].tries} == {False}

    def test_half_closed_it_is_executed_unanswered_and_a_retry_executes_it_twice(self, agent):
        rows, executed, *_ = _run(agent, [120], how="half", tries=2)
        assert rows[0].outcome == "answered" and executed == {0: 2}

    def test_back_off_waits_and_doubles(self, agent):
        places = [[0, [[0, 150 * MS]]], *([0, [[n, 900 * MS]]] for n in (1, 2))]
        rows, *_ = _run(agent, [], places=places, tries=3, new=False, backoff=20 * MS)
        first, second, third = rows[0].tries
        assert second.taken - first.ended >= 20 * MS and third.taken - second.ended >= 40 * MS

    def test_a_hedge_is_sent_when_the_answer_takes_too_long_and_both_are_executed(self, agent):
        rows, executed, *_ = _run(agent, [5], work=60, tries=2, hedge=10 * MS, idle_ms=500)
        assert rows[0].outcome == "answered" and executed == {0: 2}
        assert [t.end for t in rows[0].tries] == ["answer", "answer"]

    def test_without_an_answer_the_request_is_lost_at_its_deadline(self, agent):
        rows, executed, *_ = _run(agent, [5], work=200, deadline=50 * MS, patience=50 * MS, idle_ms=500)
        assert rows[0].outcome == "lost" and executed == {0: 1}
        assert 50 * MS <= rows[0].done - rows[0].asked < 150 * MS

    def test_what_cannot_be_connected_fails_with_its_sign(self, agent):
        agent.fork("client")
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))
            port = nobody.getsockname()[1]
            told = {"tries": 2, "backoff": 0, "hedge": 0, "patience": 200 * MS, "deadline": 400 * MS, "prepare": 0}
            agent.ask(
                "pool_run",
                "client",
                conn="p",
                host="127.0.0.1",
                port=port,
                places=[[0, [[0, 5 * MS]]]],
                controls=[],
                check="",
                tactics=told | {"new": True},
            )
            (row,) = msgspec.convert(agent.event("requests")["rows"], list[Row])
        assert (row.outcome, row.sign, len(row.tries)) == ("failed", "ECONNREFUSED", 2)
