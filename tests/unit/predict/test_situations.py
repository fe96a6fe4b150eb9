"""Who notices what: each kind of peer, path and traffic, and the verdict that follows."""

import pytest

from harness.predict import Effect, Kernel, Prediction, Situation, predict
from harness.spec.settings import Settings

CALIBRATED = Kernel(jiffy_offset=12345)
CUT = Effect(to_peer="drop", to_survivor="drop", peer="dead")
KEEPALIVE = Settings(keepalive=True, idle_s=2, interval_s=1, count=3)


def flap(down: float) -> Effect:
    return Effect(to_peer="drop", to_survivor="drop", heals_after_s=down)


def outcome(told: Prediction) -> tuple[str, str, str]:
    return told.verdict, told.sign, told.by


NOTHING = ("none", "none")


@pytest.mark.parametrize(
    ("situation", "expected"),
    [
        (Situation(settings=Settings(), effect=CUT), ("missed", *NOTHING)),
        (Situation(settings=Settings(user_timeout_ms=3000), effect=CUT), ("missed", *NOTHING)),
        (Situation(settings=KEEPALIVE, effect=Effect()), ("survived", *NOTHING)),
        (Situation(settings=KEEPALIVE, effect=Effect(peer="hung")), ("missed", *NOTHING)),
        (Situation(settings=KEEPALIVE, effect=Effect(peer="gone")), ("detected", "ECONNRESET", "peer")),
        (Situation(effect=Effect(peer="gone")), ("missed", *NOTHING)),
        (Situation(traffic="write", effect=Effect(peer="gone")), ("detected", "ECONNRESET", "peer")),
        (Situation(traffic="connect", effect=Effect(peer="gone")), ("detected", "ECONNREFUSED", "peer")),
        (Situation(traffic="connect", effect=Effect()), ("survived", *NOTHING)),
        (Situation(effect=Effect(peer="fin")), ("detected", "EOF", "peer")),
        (Situation(effect=Effect(peer="rst")), ("detected", "ECONNRESET", "peer")),
        # The answer to what is written to a closed peer is RST, and comes after its FIN.
        (Situation(traffic="write", effect=Effect(peer="fin")), ("detected", "EOF", "peer")),
        (Situation(traffic="stream", effect=Effect(peer="fin"), unacked_at=-0.001), ("detected", "EOF", "peer")),
        (Situation(traffic="blocked", effect=Effect(peer="full")), ("survived", *NOTHING)),
        (
            Situation(settings=Settings(read_deadline_s=2), effect=Effect()),
            ("mistaken", "deadline", "read-deadline"),
        ),
        (Situation(settings=Settings(read_deadline_s=2), traffic="listen", effect=Effect()), ("survived", *NOTHING)),
        (
            Situation(settings=Settings(read_deadline_s=2, heartbeat_s=1), effect=Effect()),
            ("survived", *NOTHING),
        ),
        (
            Situation(settings=Settings(heartbeat_s=1), effect=Effect(peer="hung")),
            ("detected", "heartbeat", "heartbeat"),
        ),
        (
            Situation(settings=KEEPALIVE, effect=Effect(to_peer="big-drop")),
            ("survived", *NOTHING),
        ),
        (
            Situation(settings=Settings(user_timeout_ms=1000), traffic="write", effect=Effect(to_peer="big-drop")),
            ("detected", "ETIMEDOUT", "user-timeout"),
        ),
        (
            Situation(settings=Settings(write_deadline_s=1), traffic="blocked", effect=CUT),
            ("detected", "deadline", "write-deadline"),
        ),
    ],
)
def test_outcome(situation: Situation, expected: tuple[str, str, str]) -> None:
    assert outcome(predict(situation)) == expected


@pytest.mark.parametrize(("icmp", "ipv", "sign"), [
    ("host", 4, "EHOSTUNREACH"), ("net", 4, "ENETUNREACH"), ("admin", 4, "EHOSTUNREACH"),
    ("host", 6, "EHOSTUNREACH"), ("net", 6, "ENETUNREACH"), ("admin", 6, "EACCES"),
])  # fmt: skip
def test_the_router_s_refusal_becomes_the_error_of_a_write(icmp: str, ipv: int, sign: str) -> None:
    effect = Effect(to_peer="reject", to_survivor="drop", icmp=icmp)  # type: ignore[arg-type] # from a table
    told = predict(
        Situation(kernel=CALIBRATED, settings=Settings(user_timeout_ms=3000), traffic="write", effect=effect, ipv=ipv)  # type: ignore[arg-type] # from a table
    )
    assert outcome(told) == ("detected", sign, "icmp")
    # Only "host" and "net" take backoff back, so only for them the instant is open.
    assert (told.exact_s is None) == (icmp != "admin")


def test_keepalive_ignores_refusals() -> None:
    refused = Effect(to_peer="reject", to_survivor="drop")
    times = {predict(Situation(kernel=CALIBRATED, settings=KEEPALIVE, effect=e)).exact_s for e in (refused, CUT)}
    assert len(times) == 1
    assert None not in times


def test_connect_hears_the_refusal_of_its_first_syn_or_of_its_second() -> None:
    effect = Effect(to_peer="reject", to_survivor="drop")
    told = predict(Situation(kernel=CALIBRATED, traffic="connect", effect=effect, fault_at=100.0))
    assert outcome(told) == ("detected", "EHOSTUNREACH", "icmp")
    # Which of them is a matter of microseconds: no instant.
    assert (told.earliest_s, told.exact_s) == (0.0, None)
    assert told.latest_s == pytest.approx(1.03, abs=0.02)


@pytest.mark.parametrize(
    ("down", "verdict"), [(0.1, "survived"), (4.0, "survived"), (4.2, "mistaken"), (30.0, "mistaken")]
)
def test_an_outage_is_survived_if_it_ends_before_the_last_probe(down: float, verdict: str) -> None:
    # The last of three probes leaves 2 + 1 + 1 s after the last segment, and death is a second later.
    assert predict(Situation(settings=KEEPALIVE, effect=flap(down))).verdict == verdict


def test_after_an_outage_data_flows_at_the_next_retransmission() -> None:
    told = predict(Situation(kernel=CALIBRATED, traffic="write", effect=flap(5.0)))
    assert told.verdict == "survived"
    assert told.recovery_exact_s is not None
    assert 5.0 <= told.recovery_exact_s <= 10.5


def test_a_heartbeat_within_the_outage_kills_and_one_after_it_does_not() -> None:
    quick, slow = (
        predict(Situation(settings=Settings(heartbeat_s=beat), effect=flap(2.0), ping_at=0.1)).verdict
        for beat in (0.5, 10)
    )
    assert (quick, slow) == ("mistaken", "survived")


def test_a_short_keepalive_holds_a_mapping_and_a_long_one_meets_the_reset() -> None:
    effect = Effect(to_peer="reset", to_survivor="drop")
    at = {"fault_at": 60.0, "armed_at": 0.0, "heard_at": 0.0, "mapping_expires_at": 60.0}
    short, long = (
        predict(Situation(settings=Settings(keepalive=True, idle_s=idle, interval_s=5), effect=effect, **at))  # type: ignore[arg-type] # floats
        for idle in (30, 90)
    )
    assert outcome(short) == ("survived", *NOTHING)
    assert outcome(long) == ("detected", "ECONNRESET", "peer")
    assert long.earliest_s == pytest.approx(30, abs=2.1)


def test_the_earliest_detector_wins() -> None:
    settings = Settings(keepalive=True, idle_s=5, interval_s=1, count=2, read_deadline_s=4, heartbeat_s=1)
    told = predict(Situation(kernel=CALIBRATED, settings=settings, effect=CUT, ping_at=0.3))
    assert outcome(told) == ("detected", "heartbeat", "heartbeat")
    assert told.exact_s == pytest.approx(2.3)


def test_heartbeats_are_unacknowledged_data_to_the_user_timeout() -> None:
    settings = Settings(heartbeat_s=10, user_timeout_ms=1000)
    told = predict(Situation(kernel=CALIBRATED, settings=settings, effect=CUT, ping_at=0.5))
    assert outcome(told) == ("detected", "ETIMEDOUT", "user-timeout")
    assert told.exact_s == pytest.approx(0.5 + 0.42 + 1.0, abs=0.04)


def test_one_way_silence_is_as_good_as_two_way() -> None:
    ways = [Effect(to_peer="drop"), Effect(to_survivor="drop"), CUT]
    assert len({predict(Situation(kernel=CALIBRATED, settings=KEEPALIVE, effect=way)).exact_s for way in ways}) == 1


def test_a_peer_that_talks_on_leaves_only_bounds() -> None:
    told = predict(Situation(kernel=CALIBRATED, settings=KEEPALIVE, traffic="listen", effect=Effect(to_peer="drop")))
    assert (told.verdict, told.exact_s) == ("detected", None)


def test_chance_is_called_chance() -> None:
    effect = Effect(to_peer="lossy", to_survivor="lossy", loss=0.3)
    told = predict(Situation(kernel=CALIBRATED, settings=KEEPALIVE, effect=effect))
    assert (told.verdict, told.exact_s, told.latest_s) == ("unknown", None, None)
    assert "0.51" in told.why
    # Never sooner than if every probe were lost.
    assert told.earliest_s == predict(Situation(settings=KEEPALIVE, effect=CUT)).earliest_s


def test_an_event_on_an_edge_is_ambiguous() -> None:
    # 100.0 s is the edge of a tick, and with this offset that of a bucket of eight: half a millisecond decides.
    situations = [
        Situation(kernel=Kernel(jiffy_offset=offset), settings=KEEPALIVE, effect=CUT, fault_at=100.0)
        for offset in range(4, 12)
    ]
    assert {predict(situation).ambiguous for situation in situations} == {True, False}
    middle = Situation(kernel=Kernel(jiffy_offset=0), settings=KEEPALIVE, effect=CUT, fault_at=100.002)
    assert not predict(middle).ambiguous


def test_probes_answered_before_the_fault_set_the_grid() -> None:
    chosen = Settings(keepalive=True, idle_s=1, interval_s=2, count=2)
    # The last answer came 1 s before the fault, on the edge of a bucket of 8 ticks.
    at = {"armed_at": 90.0, "heard_at": 99.0081, "fault_at": 100.0}
    told = predict(Situation(kernel=Kernel(jiffy_offset=0), settings=chosen, effect=CUT, **at))  # type: ignore[arg-type] # floats
    assert told.exact_s is not None
    assert told.earliest_s is not None
    assert told.latest_s is not None
    assert told.earliest_s <= told.exact_s <= told.latest_s
    # The next probe is due an interval after that answer's probe, not an idle: then two more intervals.
    assert told.exact_s == pytest.approx(99.008 + 3 * 2.016 - 100, abs=0.1)


def test_the_timeline_is_in_order_and_ends_with_the_sign() -> None:
    told = predict(Situation(kernel=CALIBRATED, settings=KEEPALIVE, effect=CUT))
    assert [step.what for step in told.steps[-4:]] == [
        "keepalive probe 1",
        "keepalive probe 2",
        "keepalive probe 3",
        "ETIMEDOUT (keepalive)",
    ]
    assert [step.at_s for step in told.steps] == sorted(step.at_s for step in told.steps)
    assert told.steps[-1].at_s == told.exact_s


@pytest.mark.parametrize(("down", "from_the_heal"), [(0.1, True), (0.2, True), (1.0, False)])
def test_a_stream_flows_again_at_once_if_no_timeout_has_closed_its_congestion_window(
    down: float, from_the_heal: bool
) -> None:
    told = predict(Situation(kernel=CALIBRATED, traffic="stream", effect=flap(down), segments=2))
    assert told.verdict == "survived"
    assert told.recovery_earliest_s is not None
    assert (told.recovery_earliest_s == down) == from_the_heal
    assert told.recovery_earliest_s >= down


def test_the_path_s_own_round_trip_decides_when_the_answer_to_a_window_probe_comes() -> None:
    def dies(trip_s: float | None) -> float | None:
        effect = Effect(to_peer="drop", to_survivor="drop")
        return predict(
            Situation(
                kernel=CALIBRATED, settings=Settings(retries2=2), traffic="blocked", effect=effect, fault_at=100.5,
                window_closed_at=100.0, srtt_s=0.040, trip_s=trip_s,
            )
        ).exact_s  # fmt: skip

    near, far = dies(2e-5), dies(0.040)
    assert near is not None
    assert far is not None
    assert near < far == dies(None)


def test_a_timer_that_finds_the_limit_a_tick_away_may_run_a_tick_late_and_end_it_there() -> None:
    def told(offset: int, *sent_at: float) -> Prediction:
        effect = Effect(to_peer="drop", to_survivor="drop")
        return predict(
            Situation(
                kernel=Kernel(jiffy_offset=offset), settings=Settings(retries2=3), traffic="write", effect=effect,
                fault_at=100.0, unacked_at=100.002, rto_s=0.208, sent_at=sent_at,
            )
        )  # fmt: skip

    # The limit is 3 s after the first retransmission; at one phase of eight a timer runs 2.996 s after it.
    close = [told(offset) for offset in range(8) if told(offset).ambiguous]
    assert len(close) == 1
    assert close[0].earliest_s == pytest.approx(3.42, abs=0.004)
    assert close[0].exact_s == pytest.approx(7.0, abs=0.004)
    retransmitted = next(step.at_s for step in close[0].steps if 3 < step.at_s < 4)
    assert not told(2, 100.0 + retransmitted).ambiguous


@pytest.mark.parametrize(("user_timeout_ms", "verdict"), [(1331, "unknown"), (1800, "survived")])
def test_a_retransmission_that_gets_through_just_before_the_user_timeout_may_be_acknowledged_too_late(
    user_timeout_ms: int, verdict: str
) -> None:
    settings = Settings(user_timeout_ms=user_timeout_ms)
    told = predict(Situation(settings=settings, traffic="stream", effect=flap(1.292), segments=2, rto_s=0.208))
    assert told.verdict == verdict
