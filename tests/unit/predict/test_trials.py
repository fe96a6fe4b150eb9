"""Trials made with the whole lab on Linux 6.18, HZ=250: what the predictor was told, and what was then seen.

The sign is the survivor's own wake-up (or the packet that its kernel sends when it gives up), 0.1 to 2 ms after the
timer on a machine that had other things to do.
"""

import msgspec
import pytest

from harness.predict import Effect, Kernel, Situation, predict
from harness.spec.settings import Settings

KERNEL = Kernel(jiffy_offset=4294892234)
LATE_S = 0.002

TRIALS = {
    "crash client keepalive 1 interval 3 probes 2": (
        Situation(
            kernel=KERNEL,
            settings=Settings(keepalive=True, idle_s=1, interval_s=3, count=2),
            fault_at=3520.3502221,
            armed_at=3520.1080727,
            heard_at=3520.107441,
            srtt_s=2.4e-05,
            read_at=3520.1077702,
        ),
        7.034856,
    ),
    "crash client keepalive 2 interval 1 probes 3 user timeout 5s": (
        Situation(
            kernel=KERNEL,
            settings=Settings(keepalive=True, idle_s=2, interval_s=1, count=3, user_timeout_ms=5000),
            fault_at=3520.4336588,
            armed_at=3520.1902341,
            heard_at=3520.1896407,
            srtt_s=3e-05,
            read_at=3520.1897404,
        ),
        4.838496,
    ),
    "crash client keepalive 2 interval 1 probes 3": (
        Situation(
            kernel=KERNEL,
            settings=Settings(keepalive=True, idle_s=2, interval_s=1, count=3),
            fault_at=3520.4564989,
            armed_at=3520.2110512,
            heard_at=3520.2104473,
            srtt_s=2.7e-05,
            read_at=3520.2104753,
        ),
        4.847618,
    ),
    "cut link traffic write user timeout 1s": (
        Situation(
            kernel=KERNEL,
            settings=Settings(user_timeout_ms=1000),
            traffic="write",
            effect=Effect(to_peer="drop", to_survivor="drop"),
            fault_at=3526.3905058,
            heard_at=3526.1880871,
            rto_s=0.208,
            srtt_s=0.005403,
            unacked_at=3526.3921976,
            read_at=3526.145234,
        ),
        1.443283,
    ),
    "cut link traffic write user timeout 5s": (
        Situation(
            kernel=KERNEL,
            settings=Settings(user_timeout_ms=5000),
            traffic="write",
            effect=Effect(to_peer="drop", to_survivor="drop"),
            fault_at=3528.1302723,
            heard_at=3527.928065,
            rto_s=0.208,
            srtt_s=0.00583,
            unacked_at=3528.1331491,
            read_at=3527.8817571,
        ),
        5.429909,
    ),
    "cut link traffic write retries 3": (
        Situation(
            kernel=KERNEL,
            settings=Settings(retries2=3),
            traffic="write",
            effect=Effect(to_peer="drop", to_survivor="drop"),
            fault_at=3528.661221,
            heard_at=3528.4401591,
            rto_s=0.208,
            srtt_s=0.005497,
            unacked_at=3528.6630979,
            read_at=3528.3965612,
        ),
        3.426955,
    ),
    "cut link traffic write retries 5": (
        Situation(
            kernel=KERNEL,
            settings=Settings(retries2=5),
            traffic="write",
            effect=Effect(to_peer="drop", to_survivor="drop"),
            fault_at=3532.8504564,
            heard_at=3532.648073,
            rto_s=0.208,
            srtt_s=0.005479,
            unacked_at=3532.8520908,
            read_at=3532.6046282,
        ),
        13.733688,
    ),
    "cut link traffic blocked retries 3": (
        Situation(
            kernel=KERNEL,
            settings=Settings(retries2=3),
            traffic="blocked",
            effect=Effect(to_peer="drop", to_survivor="drop"),
            fault_at=3534.3543727,
            heard_at=3534.1521022,
            rto_s=0.216,
            srtt_s=0.012126,
            window_closed_at=3534.1521022,
            read_at=3534.0454968,
            write_blocked_at=3534.1083371,
        ),
        3.109812,
    ),
    "fill window user timeout 3s": (
        Situation(
            kernel=KERNEL,
            settings=Settings(user_timeout_ms=3000),
            effect=Effect(peer="full"),
            fault_at=3538.2681062,
            heard_at=3538.2681062,
            rto_s=0.208,
            srtt_s=0.005207,
            window_closed_at=3538.2681062,
            read_at=3537.9829618,
            write_blocked_at=3538.2683409,
        ),
        3.21601,
    ),
    "connect syn retries 2": (
        Situation(kernel=KERNEL, settings=Settings(syn_count=2), traffic="connect", fault_at=3542.0301845),
        7.114076,
    ),
    "connect syn retries 3": (
        Situation(kernel=KERNEL, settings=Settings(syn_count=3), traffic="connect", fault_at=3547.1038352),
        19.448323,
    ),
    "connect user timeout 2500ms": (
        Situation(kernel=KERNEL, settings=Settings(user_timeout_ms=2500), traffic="connect", fault_at=3549.6520719),
        2.532033,
    ),
    "reject packets traffic write user timeout 3s icmp admin": (
        Situation(
            kernel=KERNEL,
            settings=Settings(user_timeout_ms=3000),
            traffic="write",
            effect=Effect(to_peer="reject", to_survivor="drop", icmp="admin"),
            fault_at=3552.8955591,
            heard_at=3552.6920738,
            rto_s=0.208,
            srtt_s=0.005154,
            unacked_at=3552.8972119,
            read_at=3552.6512003,
        ),
        3.428616,
    ),
    "cut link read deadline 3 deadline by rcvtimeo": (
        Situation(
            kernel=KERNEL,
            settings=Settings(read_deadline_s=3.0, deadline_by="rcvtimeo"),
            effect=Effect(to_peer="drop", to_survivor="drop"),
            fault_at=3557.094479,
            heard_at=3556.892058,
            rto_s=0.208,
            srtt_s=0.005346,
            read_at=3556.8732472,
        ),
        2.801806,
    ),
    "cut link keepalive 1 interval 1 probes 2 quiet 5": (
        Situation(
            kernel=KERNEL,
            settings=Settings(keepalive=True, idle_s=1, interval_s=1, count=2),
            effect=Effect(to_peer="drop", to_survivor="drop"),
            fault_at=3567.9712546,
            armed_at=3526.0817082,
            heard_at=3567.0641351,
            rto_s=0.208,
            srtt_s=0.005396,
            read_at=3526.0812751,
        ),
        2.164921,
    ),
    "connect user timeout 7500ms": (
        Situation(
            kernel=KERNEL,
            settings=Settings(user_timeout_ms=7500),
            traffic="connect",
            effect=Effect(to_peer="drop", to_survivor="drop", peer="dead"),
            fault_at=4437.7386387,
        ),
        7.533439,
    ),
    "cut link traffic write retries 2, the tail loss probe a tick late": (
        Situation(
            kernel=KERNEL,
            settings=Settings(retries2=2),
            traffic="write",
            effect=Effect(to_peer="drop", to_survivor="drop"),
            ipv=6,
            fault_at=4437.7531932,
            heard_at=4437.503913,
            srtt_s=2.2e-05,
            unacked_at=4437.7563484,
            read_at=4437.5057499,
            sent_at=(4437.9680313, 4438.1760763, 4438.6200575, 4439.4480668),
        ),
        3.359112,
    ),
    "cut link traffic blocked user timeout 4448ms, the first window probe a tick late": (
        Situation(
            kernel=KERNEL,
            settings=Settings(user_timeout_ms=4448),
            traffic="blocked",
            effect=Effect(to_peer="drop", to_survivor="drop"),
            ipv=6,
            fault_at=4465.4985888,
            heard_at=4465.4000982,
            rto_s=0.208,
            srtt_s=0.005893,
            trip_s=2e-05,
            window_closed_at=4465.1840446,
            read_at=4464.8825532,
            sent_at=(4465.40008, 4465.8481353, 4466.7120437, 4468.4080888),
        ),
        4.381472,
    ),
    "cut link traffic blocked retries 2, delayed acknowledgments in the smoothed round trip": (
        Situation(
            kernel=KERNEL,
            settings=Settings(retries2=2),
            traffic="blocked",
            effect=Effect(to_peer="drop", to_survivor="drop"),
            ipv=6,
            fault_at=4465.2033571,
            heard_at=4464.6921049,
            rto_s=0.208,
            srtt_s=0.005398,
            trip_s=2e-05,
            window_closed_at=4464.4800609,
            read_at=4464.4276892,
        ),
        1.636802,
    ),
    "cut link at own-queue traffic write retries 4": (
        Situation(
            kernel=KERNEL,
            settings=Settings(retries2=4),
            traffic="write",
            effect=Effect(to_peer="drop", to_survivor="drop", place="own-queue"),
            fault_at=5614.3938913,
            heard_at=5614.1492492,
            srtt_s=1.9e-05,
            trip_s=1.7e-05,
            unacked_at=5614.3949451,
            read_at=5614.1492761,
        ),
        2.270240,
    ),
    "cut link at own-queue traffic blocked retries 3": (
        Situation(
            kernel=KERNEL,
            settings=Settings(retries2=3),
            traffic="blocked",
            effect=Effect(to_peer="drop", to_survivor="drop", place="own-queue"),
            fault_at=5614.3499263,
            heard_at=5614.1480601,
            rto_s=0.208,
            srtt_s=0.005274,
            trip_s=1.8e-05,
            window_closed_at=5614.1480601,
            read_at=5614.1005296,
        ),
        1.546215,
    ),
    "cut link at own-filter traffic write retries 4": (
        Situation(
            kernel=KERNEL,
            settings=Settings(retries2=4),
            traffic="write",
            effect=Effect(to_peer="drop", to_survivor="drop", place="own-filter"),
            fault_at=5621.1681479,
            heard_at=5620.9209396,
            srtt_s=2.4e-05,
            trip_s=1.7e-05,
            unacked_at=5621.1687884,
            read_at=5620.921011,
        ),
        6.439951,
    ),
    "cut link at own-link traffic write retries 4": (
        Situation(
            kernel=KERNEL,
            settings=Settings(retries2=4),
            traffic="write",
            effect=Effect(to_peer="drop", to_survivor="drop", place="own-link"),
            ipv=6,
            fault_at=5634.6049873,
            heard_at=5634.3589356,
            srtt_s=2.8e-05,
            trip_s=2.7e-05,
            unacked_at=5634.6118722,
            read_at=5634.3589952,
        ),
        6.571140,
    ),
}


@pytest.mark.parametrize("name", TRIALS)
def test_trial(name: str) -> None:
    situation, seen = TRIALS[name]
    told = predict(situation)
    assert told.exact_s is not None
    assert told.earliest_s is not None
    assert told.latest_s is not None
    assert 0 <= seen - told.exact_s <= LATE_S
    assert told.earliest_s <= seen <= told.latest_s + LATE_S


@pytest.mark.parametrize("name", [name for name in TRIALS if name.endswith("a tick late")])
def test_a_timer_that_ran_a_tick_late_is_told_by_its_packet_alone(name: str) -> None:
    situation, seen = TRIALS[name]
    told = predict(msgspec.structs.replace(situation, sent_at=()))
    assert told.exact_s is not None
    # Unseen, the tick makes a difference of a bucket of eight: 32 ms.
    assert seen - told.exact_s == pytest.approx(0.032, abs=LATE_S)
    early = tuple(at - 0.004 for at in situation.sent_at)
    assert predict(msgspec.structs.replace(situation, sent_at=early)).exact_s == told.exact_s
