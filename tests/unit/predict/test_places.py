"""Where the packets vanish: on the path, or in a place that tells the survivor's own kernel."""

import pytest

from harness.predict import Effect, Kernel, Prediction, Situation, predict
from harness.spec.settings import Settings

KERNEL = Kernel(jiffy_offset=12345)
KEEPALIVE = Settings(keepalive=True, idle_s=2, interval_s=1, count=3)
PATH = Effect(to_peer="drop", to_survivor="drop")


def at(place: str) -> Effect:
    if place == "far-link":
        return Effect(to_peer="reject", to_survivor="drop", icmp="net", place="far-link")
    return Effect(to_peer="drop", to_survivor="drop", place=place)  # type: ignore[arg-type] # from a table


def told(
    effect: Effect, settings: Settings, traffic: str = "idle", ipv: int = 4, kernel: Kernel = KERNEL
) -> Prediction:
    return predict(
        Situation(kernel=kernel, settings=settings, traffic=traffic, effect=effect, ipv=ipv)  # type: ignore[arg-type] # from a table
    )


def test_a_keepalive_probe_that_the_own_queue_refuses_is_never_counted() -> None:
    for settings in (KEEPALIVE, Settings(keepalive=True, idle_s=2, interval_s=1, count=3, user_timeout_ms=3000)):
        never = told(at("own-queue"), settings)
        assert never.verdict == "missed"
        assert "own queue" in never.why


@pytest.mark.parametrize("place", ["own-filter", "own-link", "far-link", "next-hop"])
@pytest.mark.parametrize("ipv", [4, 6])
def test_keepalive_dies_at_the_instant_of_the_path_anywhere_else(place: str, ipv: int) -> None:
    here, path = told(at(place), KEEPALIVE, ipv=ipv), told(PATH, KEEPALIVE, ipv=ipv)
    assert (here.by, here.exact_s) == ("keepalive", path.exact_s)
    # Only IPv6 notes that it has no route.
    assert here.sign == ("ENETUNREACH" if (place, ipv) == ("own-link", 6) else "ETIMEDOUT")


@pytest.mark.parametrize(
    ("place", "low", "high"), [("own-queue", 3.2, 3.26), ("own-filter", 3.2, 3.24), ("own-link", 3.2, 3.24)]
)
def test_data_that_cannot_leave_its_host_is_timed_from_the_first_attempt(place: str, low: float, high: float) -> None:
    here = told(at(place), Settings(user_timeout_ms=3000), "write")
    assert here.by == "user-timeout"
    assert here.exact_s is not None
    assert low <= here.exact_s <= high
    assert "stays unsent" in here.why


def test_attempts_are_counted_and_those_that_the_queue_refuses_come_every_half_second() -> None:
    queue, filtered = (told(at(place), Settings(retries2=3), "write") for place in ("own-queue", "own-filter"))
    assert queue.by == filtered.by == "retries"
    assert queue.exact_s == pytest.approx(0.208 + 3 * 0.512, abs=0.03)
    assert filtered.exact_s == pytest.approx(0.204 * (1 + 2 + 4 + 8), abs=0.15)
    # The count ends it also where the user timeout would allow more.
    assert told(at("own-queue"), Settings(retries2=3, user_timeout_ms=60_000), "write").by == "retries"


@pytest.mark.parametrize(("ipv", "sign", "other"), [(4, "ETIMEDOUT", "ENETUNREACH"), (6, "ENETUNREACH", None)])
def test_of_a_stream_a_segment_may_be_in_flight_when_the_link_goes_down(ipv: int, sign: str, other: str | None) -> None:
    here = told(at("own-link"), Settings(user_timeout_ms=2000), "stream", ipv)
    assert (here.sign, here.other_sign, here.exact_s) == (sign, other, None)
    assert here.earliest_s is not None
    assert here.latest_s is not None
    # Measured: 1.9978 where one was, 2.2426 where none was.
    assert here.earliest_s <= 1.9978 < 2.2426 <= here.latest_s


def test_the_router_s_far_link_is_told_by_icmp_which_only_data_heeds() -> None:
    here = told(at("far-link"), Settings(user_timeout_ms=3000), "write")
    assert (here.sign, here.by, here.exact_s) == ("ENETUNREACH", "icmp", None)
    assert here.earliest_s is not None
    assert here.latest_s is not None
    assert here.earliest_s <= 3.546 < 4.218 <= here.latest_s  # measured with IPv6, with IPv4


def test_the_next_hop_is_believed_for_a_while() -> None:
    soon, late = (told(at("next-hop"), Settings(retries2=retries), "write") for retries in (4, 8))
    assert (soon.sign, soon.exact_s) == ("ETIMEDOUT", told(PATH, Settings(retries2=4), "write").exact_s)
    assert (late.sign, late.by, late.exact_s) == ("EHOSTUNREACH", "icmp", None)


def test_an_attempt_that_nobody_sees_may_have_been_made_a_tick_late() -> None:
    def ambiguous(place: str, written: float) -> bool:
        effect = at(place)
        return predict(
            Situation(
                kernel=KERNEL, settings=Settings(retries2=3), traffic="write", effect=effect, fault_at=100.0,
                unacked_at=written,
            )
        ).ambiguous  # fmt: skip

    # One of eight ticks is the last of its bucket; in the middle of a tick no other edge is near.
    written = [100.002 + tick * 0.004 for tick in range(8)]
    assert [ambiguous("own-filter", instant) for instant in written].count(True) == 1
    assert not any(ambiguous("path", instant) for instant in written)
