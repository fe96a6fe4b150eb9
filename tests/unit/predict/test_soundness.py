"""What holds for every input: no traceback, bounds that contain the instant, never early, and monotony."""

import math

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.predict import Effect, Kernel, Prediction, Situation, predict
from harness.spec.settings import Settings

CUT = Effect(to_peer="drop", to_survivor="drop", peer="dead")
EXAMPLES = settings(max_examples=30, deadline=None)

kernels = st.builds(Kernel, hz=st.sampled_from([100, 250, 300, 1000]), jiffy_offset=st.integers(0, 2**33))
choices = st.builds(
    Settings,
    keepalive=st.booleans(),
    idle_s=st.sampled_from([1, 2, 7, 30, 7200, 32767]),
    interval_s=st.sampled_from([1, 3, 10, 75, 32767]),
    count=st.sampled_from([1, 2, 3, 9, 127]),
    user_timeout_ms=st.sampled_from([0, 1, 100, 999, 3000, 30_000, 600_000, 2**31 - 1]),
    read_deadline_s=st.sampled_from([None, None, 0.5, 3.0, 1e7]),
    write_deadline_s=st.sampled_from([None, None, 2.0]),
    deadline_by=st.sampled_from(["poll", "rcvtimeo"]),
    heartbeat_s=st.sampled_from([None, None, 0.1, 1.0, 10.0]),
    heartbeat_misses=st.integers(1, 5),
    retries2=st.sampled_from([0, 1, 3, 5, 15, 255]),
    rto_max_ms=st.sampled_from([1000, 7000, 120_000]),
    syn_count=st.sampled_from([1, 2, 6, 127]),
    syn_linear=st.sampled_from([0, 4]),
)
effects = st.builds(
    Effect,
    to_peer=st.sampled_from(["pass", "drop", "lossy", "reject", "reset", "big-drop"]),
    to_survivor=st.sampled_from(["pass", "drop", "lossy"]),
    peer=st.sampled_from(["serves", "hung", "full", "gone", "dead", "fin", "rst"]),
    heals_after_s=st.one_of(st.none(), st.floats(0, 20), st.just(1e6)),
    loss=st.sampled_from([0.0, 0.3, 1.0]),
    icmp=st.sampled_from(["host", "net", "admin"]),
    place=st.sampled_from(["path", "path", "own-queue", "own-filter", "own-link", "far-link", "next-hop"]),
)
traffics = st.sampled_from(["idle", "write", "stream", "request", "listen", "blocked", "connect"])


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    """Any situation whose instants do not contradict each other."""
    at = draw(st.floats(100, 1e6))
    chosen = draw(choices)
    silence = draw(st.floats(0, 0.9))  # shorter than any idle, so that no probe was due before the fault

    def maybe(low: float, high: float) -> float | None:
        return draw(st.one_of(st.none(), st.floats(low, high).map(lambda after: at + after)))

    return Situation(
        kernel=draw(kernels),
        settings=chosen,
        traffic=draw(traffics),
        effect=draw(effects),
        ipv=draw(st.sampled_from([4, 6])),
        fault_at=at,
        heard_at=at - silence,
        armed_at=at - silence - draw(st.floats(0, 0.05)),
        rto_s=draw(st.sampled_from([0.2, 0.204, 0.212, 1.0])),
        srtt_s=draw(st.sampled_from([0.0, 0.0001, 0.03])),
        unacked_at=maybe(0, 5),
        segments=draw(st.sampled_from([1, 2, 10])),
        window_closed_at=maybe(-0.5, 0),
        read_at=maybe(-0.4, 0),
        write_blocked_at=maybe(0, 1),
        ping_at=maybe(0, 2),
        mapping_expires_at=maybe(0, 3),
        trip_s=draw(st.sampled_from([None, 0.00002, 0.03])),
        sent_at=tuple(at + after for after in draw(st.lists(st.floats(-1, 20), max_size=5))),
    )


def bounds(told: Prediction) -> tuple[float, float]:
    assert told.earliest_s is not None
    return told.earliest_s, math.inf if told.latest_s is None else told.latest_s


@settings(max_examples=150, deadline=None)
@given(situations())
def test_every_situation_gets_an_answer_whose_bounds_contain_the_instant(situation: Situation) -> None:
    told = predict(situation)
    assert told.why.endswith(".")
    if told.verdict in ("detected", "mistaken"):
        low, high = bounds(told)
        assert told.sign != "none"
        assert told.by != "none"
        assert low <= high
        if told.exact_s is not None:
            assert low - 1e-6 <= told.exact_s <= high + 1e-6
    if told.verdict in ("missed", "survived"):
        assert (told.sign, told.by, told.exact_s) == ("none", "none", None)


@settings(max_examples=60, deadline=None)
@given(situations())
def test_calibration_narrows_and_never_contradicts(situation: Situation) -> None:
    unknown = msgspec.structs.replace(situation.kernel, jiffy_offset=None)
    rough, fine = predict(msgspec.structs.replace(situation, kernel=unknown)), predict(situation)
    if rough.verdict != "unknown" and fine.verdict != "unknown":
        assert rough.verdict == fine.verdict


def cut(kernel: Kernel, chosen: Settings, **instants: float) -> Prediction:
    return predict(Situation(kernel=kernel, settings=chosen, effect=CUT, **instants))  # type: ignore[arg-type] # floats


@EXAMPLES
@given(kernels, st.integers(1, 600), st.integers(1, 100), st.integers(1, 20))
def test_keepalive_is_never_early_and_late_by_the_wheel_at_most(
    kernel: Kernel, idle: int, interval: int, count: int
) -> None:
    told = cut(kernel, Settings(keepalive=True, idle_s=idle, interval_s=interval, count=count))
    nominal = idle + count * interval
    assert told.exact_s is not None
    # Each timer is late by an eighth at most, once it is long enough to be late by more than a tick.
    assert nominal - 0.001 <= told.exact_s <= nominal * 1.13 + 2 * (count + 1) / kernel.hz
    assert bounds(told)[0] <= told.exact_s <= bounds(told)[1]


@EXAMPLES
@given(
    kernels, st.integers(1, 300), st.integers(1, 50), st.integers(1, 10), st.sampled_from(["idle", "interval", "count"])
)
def test_keepalive_grows_with_each_of_its_settings(
    kernel: Kernel, idle: int, interval: int, count: int, grows: str
) -> None:
    less = Settings(keepalive=True, idle_s=idle, interval_s=interval, count=count)
    field = grows if grows == "count" else f"{grows}_s"
    more = msgspec.structs.replace(less, **{field: getattr(less, field) * 2})
    assert bounds(cut(kernel, less))[0] < bounds(cut(kernel, more))[0]
    assert bounds(cut(kernel, less))[1] < bounds(cut(kernel, more))[1]


@EXAMPLES
@given(kernels, st.integers(1, 100_000), st.integers(1, 100_000))
def test_unacknowledged_data_dies_later_with_a_longer_user_timeout(kernel: Kernel, one: int, other: int) -> None:
    shorter, longer = (
        predict(
            Situation(kernel=kernel, settings=Settings(user_timeout_ms=ms), traffic="write", effect=CUT, rto_s=0.21)
        )
        for ms in sorted((one, other))
    )
    assert bounds(shorter)[0] <= bounds(longer)[0]
    assert bounds(shorter)[1] <= bounds(longer)[1]
    assert bounds(longer)[0] >= max(one, other) / 1000 + 0.4


@EXAMPLES
@given(kernels, st.integers(0, 254))
def test_unacknowledged_data_dies_no_sooner_with_more_retries(kernel: Kernel, retries: int) -> None:
    fewer, more = (
        predict(Situation(kernel=kernel, settings=Settings(retries2=r), traffic="write", effect=CUT))
        for r in (retries, retries + 1)
    )
    assert fewer.exact_s is not None
    assert more.exact_s is not None
    assert fewer.exact_s <= more.exact_s


@EXAMPLES
@given(kernels, st.floats(0.1, 8))
def test_a_longer_outage_never_saves_a_connection(kernel: Kernel, outage: float) -> None:
    def survives(down: float) -> bool:
        effect = Effect(to_peer="drop", to_survivor="drop", heals_after_s=down)
        chosen = Settings(keepalive=True, idle_s=2, interval_s=1, count=3)
        return predict(Situation(kernel=kernel, settings=chosen, effect=effect)).verdict == "survived"

    assert survives(outage) or not survives(outage + 0.5)


@EXAMPLES
@given(st.floats(100, 1e6), st.integers(0, 2**33), st.floats(0.05, 0.9), st.sampled_from([100, 250, 1000]))
def test_the_last_timer_may_be_a_tick_late_as_well_as_those_before_it(
    at: float, offset: int, silence: float, hz: int
) -> None:
    asked = Situation(
        kernel=Kernel(hz=hz, jiffy_offset=offset),
        settings=Settings(keepalive=True, idle_s=1, interval_s=1, count=2),
        effect=CUT,
        fault_at=at,
        heard_at=at - silence,
    )
    due = [step.at_s for step in predict(asked).steps if "probe" in step.what]
    assert len(due) == 2
    late = msgspec.structs.replace(asked, sent_at=tuple(at + each + 1 / hz + 0.00005 for each in due))
    seen = predict(late)
    assert seen.exact_s is not None and seen.latest_s is not None
    assert seen.latest_s > seen.exact_s + 1 / hz
