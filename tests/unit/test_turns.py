"""Turns: so many at a time, strikes before setting up, and none lost to who was cancelled while waiting."""

import asyncio

from harness.turns import SETTING_UP, STRIKING, Turns


async def _take(turns: Turns, what: int, name: str, order: list[str], hold: asyncio.Event) -> None:
    async with turns.take(what):
        order.append(name)
        await hold.wait()


def test_who_strikes_goes_before_who_sets_up() -> None:
    async def body() -> list[str]:
        turns, order, hold = Turns(1), [], asyncio.Event()
        whats = [("a", SETTING_UP), ("b", SETTING_UP), ("c", SETTING_UP), ("d", STRIKING)]
        tasks = []
        for name, what in whats:
            tasks.append(asyncio.create_task(_take(turns, what, name, order, hold)))
            await asyncio.sleep(0)
        hold.set()
        await asyncio.gather(*tasks)
        return order

    assert asyncio.run(body()) == ["a", "d", "b", "c"]


def test_no_more_than_so_many_at_a_time() -> None:
    async def body() -> int:
        turns, busy, most = Turns(3), 0, 0

        async def one() -> None:
            nonlocal busy, most
            async with turns.take(SETTING_UP):
                busy += 1
                most = max(most, busy)
                await asyncio.sleep(0)
                busy -= 1

        await asyncio.gather(*(one() for _ in range(50)))
        return most

    assert asyncio.run(body()) == 3


def test_a_turn_is_not_lost_with_one_who_is_cancelled() -> None:
    async def body() -> list[str]:
        turns, order, hold = Turns(1), [], asyncio.Event()
        first = asyncio.create_task(_take(turns, SETTING_UP, "first", order, hold))
        await asyncio.sleep(0)
        waiting = [asyncio.create_task(_take(turns, STRIKING, str(n), order, hold)) for n in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        hold.set()
        await first
        waiting[1].cancel()  # it may have been given the turn at this very moment
        await asyncio.gather(*waiting, return_exceptions=True)
        async with asyncio.timeout(1), turns.take(SETTING_UP):
            order.append("last")
        return order

    order = asyncio.run(body())
    assert order[0] == "first" and order[-1] == "last" and "2" in order and "0" not in order
