import contextlib
import os
import select
import threading
from pathlib import Path

import pytest

from harness.endpoints.loop import Loop, now


def descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture
def loop():
    with contextlib.closing(Loop()) as loop:
        yield loop


@pytest.fixture
def pipe():
    source, sink = os.pipe()
    yield source, sink
    os.close(source)
    os.close(sink)


def test_timers_are_called_in_the_order_of_their_instants_and_never_early(loop):
    called, start = [], now()
    for delay in (3_000_000, 1_000_000, 2_000_000):
        loop.at(start + delay, lambda delay=delay: called.append((delay, now() - start)))
    loop.at(start + 4_000_000, loop.stop)
    loop.run()
    assert [delay for delay, _ in called] == [1_000_000, 2_000_000, 3_000_000]
    assert all(late >= delay for delay, late in called)


def test_timers_of_the_same_instant_are_called_in_the_order_in_which_they_were_set(loop):
    called, at = [], now()
    for number in range(5):
        loop.at(at, lambda number=number: called.append(number))
    loop.at(at, loop.stop)
    loop.run()
    assert called == [0, 1, 2, 3, 4]


def test_a_cancelled_timer_is_not_called(loop):
    called = []
    timer = loop.at(now(), lambda: called.append("cancelled"))
    loop.at(now() + 1000, loop.stop)
    timer.cancel()
    timer.cancel()
    loop.run()
    assert called == []


def test_a_timer_may_set_and_cancel_timers(loop):
    called = []
    late = loop.at(now() + 2_000_000, lambda: called.append("late"))

    def first():
        late.cancel()
        loop.at(now(), lambda: (called.append("then"), loop.stop()))

    loop.at(now(), first)
    loop.run()
    assert called == ["then"]


def test_with_nothing_due_it_waits_for_ever_and_with_something_due_not_at_all(loop):
    assert loop._wait() == -1
    loop.at(now() + 60_000_000_000, lambda: None).cancel()
    assert loop._wait() == -1
    loop.at(now() - 1, lambda: None)
    assert loop._wait() == 0


def test_a_descriptor_that_shows_something_is_told_of_until_it_is_forgotten(loop, pipe):
    source, sink = pipe
    seen = []

    def ready(event):
        seen.append(event)
        if len(seen) == 2:
            loop.forget(source)
            loop.at(now(), loop.stop)

    os.write(sink, b".")  # left unread, so it shows again: level-triggered
    loop.watch(source, select.EPOLLIN, ready)
    loop.run()
    assert seen == [select.EPOLLIN, select.EPOLLIN]
    loop.forget(source)


def test_watching_anew_replaces_what_is_called(loop, pipe):
    source, sink = pipe
    called = []
    loop.watch(source, select.EPOLLIN, lambda _event: called.append("old"))
    loop.watch(source, select.EPOLLIN, lambda _event: (called.append("new"), loop.stop()))
    os.write(sink, b".")
    loop.run()
    assert called == ["new"]


def test_woke_is_stamped_after_the_wait_and_before_the_call(loop, pipe):
    source, sink = pipe
    before = now()
    stamps = []
    loop.watch(source, select.EPOLLIN, lambda _event: (stamps.append((loop.woke, now())), loop.stop()))
    os.write(sink, b".")
    loop.run()
    ((woke, called),) = stamps
    assert before < woke <= called


def test_another_thread_can_have_a_call_made_by_the_loop(loop):
    called = []
    ident = threading.get_ident()

    def beside():
        for number in range(3):
            loop.soon(lambda number=number: called.append((number, threading.get_ident())))
        loop.soon(loop.stop)

    thread = threading.Thread(target=beside)
    thread.start()
    loop.run()
    thread.join()
    assert called == [(0, ident), (1, ident), (2, ident)]


def test_a_closed_loop_leaves_no_descriptor():
    before = descriptors()
    loop = Loop()
    assert descriptors() > before
    loop.close()
    assert descriptors() == before
