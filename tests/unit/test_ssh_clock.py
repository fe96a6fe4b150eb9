"""Clocks of hosts against each other: offsets from pings, the error stated, drift and jumps told apart."""

import asyncio
import time

import pytest

from harness.labs.ssh.clock import DRIFT, Clocks, Relation

MS = 1_000_000


class Host:
    """A host's clock: ``ahead`` of this machine's by so many ns, running ``fast`` times too fast since it was made."""

    def __init__(self, ahead=0, fast=0.0):
        self.ahead, self.fast, self.began = ahead, fast, time.monotonic_ns()

    def at(self, here):
        return here + self.ahead + round((here - self.began) * self.fast)

    async def ask(self):
        return self.at(time.monotonic_ns())


class Script:
    """Answers pings as written: (asked, answered, what the host said); the clock of this machine follows it."""

    def __init__(self, monkeypatch, *pings):
        self._pings = iter(pings)
        self._instants = iter(())
        monkeypatch.setattr("harness.labs.ssh.clock.time.monotonic_ns", lambda: next(self._instants))

    async def ping(self, relation):
        before, after, self.said = next(self._pings)
        self._instants = iter((before, after))
        return await relation.ping()

    async def ask(self):
        return self.said


def test_an_offset_is_known_to_half_the_round_trip(monkeypatch):
    script = Script(monkeypatch, (1000 * MS, 1002 * MS, 5_001 * MS), (2000 * MS, 2010 * MS, 6_009 * MS))
    relation = Relation(script.ask)

    async def two():
        return [await script.ping(relation), await script.ping(relation)]

    first, second = asyncio.run(two())
    assert (first.offset, first.error) == (4000 * MS, MS)
    assert (second.offset, second.error) == (4004 * MS, 5 * MS)
    # The shorter round trip tells more, until its age has made it worse than the younger one.
    assert relation.offset(2010 * MS) == (4000 * MS, round(MS + 1009 * MS * DRIFT))
    later = 1001 * MS + round(4 * MS / DRIFT) + 3000 * MS
    assert relation.offset(later)[0] == 4000 * MS  # both age alike: the first stays the better one


def test_clocks_are_told_in_the_survivors():
    hosts = {"client": Host(ahead=7_000 * MS), "server": Host(ahead=-3_000 * MS)}
    relations = {name: Relation(host.ask) for name, host in hosts.items()}
    clocks = Clocks("server", relations)

    async def both():
        await clocks.relate()
        here = time.monotonic_ns()
        told, error = clocks.tell("client", hosts["client"].at(here))
        assert abs(told - hosts["server"].at(here)) <= error
        assert error < 5 * MS
        assert clocks.tell("server", 12345) == (12345, 0)
        assert clocks.now() >= hosts["server"].at(here) - error

    asyncio.run(both())


def test_a_clock_that_jumps_between_two_relations_is_noticed():
    host, steady = Host(ahead=MS), Host()
    clocks = Clocks("server", {"client": Relation(host.ask), "server": Relation(steady.ask)})

    async def jump():
        await clocks.relate()
        await clocks.relate()
        assert clocks.moved_ns() == 0
        host.ahead += 250 * MS
        await clocks.relate()

    asyncio.run(jump())
    assert clocks.moved_ns() == pytest.approx(250 * MS, rel=0.02)


def test_drift_is_measured_and_is_no_jump(monkeypatch):
    """200 s at 60 ppm are 12 ms: told as drift, and covered by the error that a minute's age is given."""
    instant = [0]
    monkeypatch.setattr("harness.labs.ssh.clock.time.monotonic_ns", lambda: instant[0])

    async def fast():
        return instant[0] + round(instant[0] * 60e-6)

    async def steady():
        return instant[0]

    clocks = Clocks("server", {"client": Relation(fast), "server": Relation(steady)})
    asyncio.run(clocks.relate())
    instant[0] = 200_000 * MS
    asyncio.run(clocks.relate())
    assert clocks.moved_ns() == 0
    assert clocks.describe()["drift_ppm"] == pytest.approx(60, rel=0.01)
    assert clocks.describe()["of"] == "server"
