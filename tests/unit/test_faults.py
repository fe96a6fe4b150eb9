"""The catalogue of faults: each is found, has help and options that parse, and does what it says to a scripted lab."""

import asyncio

import pytest

from harness.errors import Refused
from harness.faults import all_faults
from harness.faults.base import Fault
from harness.labs.fake import FakeLab
from harness.predict.situation import Effect
from harness.scene.opening import open_stage
from harness.spec.options import parse
from harness.spec.settings import Asked
from harness.spec.sides import SIDES, other
from harness.spec.trial import Trial

NAMES = [
    "connect",
    "crash-client",
    "crash-server",
    "cut-link",
    "drop-packets",
    "expire-nat",
    "fill-window",
    "flap-link",
    "freeze-client",
    "freeze-server",
    "kill-client",
    "kill-server",
    "no-fault",
    "power-off-client",
    "power-off-server",
    "reboot-client",
    "reboot-server",
    "reject-packets",
    "shrink-mtu",
]

BLACK_HOLE = Effect(to_peer="drop", to_survivor="drop")
DEAD = Effect(to_peer="drop", to_survivor="drop", peer="dead")

EFFECTS = {
    "connect": DEAD,
    "crash-client": DEAD,
    "crash-server": DEAD,
    "cut-link": BLACK_HOLE,
    "drop-packets": Effect(to_peer="lossy", to_survivor="lossy", loss=0.5),
    "expire-nat": BLACK_HOLE,
    "fill-window": Effect(peer="full"),
    "flap-link": Effect(to_peer="drop", to_survivor="drop", heals_after_s=20.0),
    "freeze-client": Effect(peer="hung"),
    "freeze-server": Effect(peer="hung"),
    "kill-client": Effect(peer="fin"),
    "kill-server": Effect(peer="fin"),
    "no-fault": Effect(),
    "power-off-client": DEAD,
    "power-off-server": DEAD,
    "reboot-client": Effect(peer="gone"),
    "reboot-server": Effect(peer="gone"),
    "reject-packets": Effect(to_peer="reject", to_survivor="drop"),
    "shrink-mtu": Effect(to_peer="big-drop"),
}

# What the path, and what the peer's host, is asked to do; where the fault is put and what it makes of the peer.
CUT = ("cut", {"to_client": True, "to_server": True})
INJECTED = {
    "connect": ([CUT], [], "router", "cut off"),
    "crash-client": ([CUT], ["kill"], "router", "killed"),
    "crash-server": ([CUT], ["kill"], "router", "killed"),
    "cut-link": ([CUT], [], "router", "cut off"),
    "drop-packets": ([("lossy", {"percent": 50.0})], [], "router", "cut off"),
    "expire-nat": ([("masquerade", {"timeout_s": 350, "on_expiry": "silent"})], [], "router", "cut off"),
    "fill-window": ([], [], "peer", "deaf"),
    "flap-link": ([CUT], [], "router", "cut off"),
    "freeze-client": ([], ["stop"], "peer", "stopped"),
    "freeze-server": ([], ["stop"], "peer", "stopped"),
    "kill-client": ([], ["kill"], "peer", "killed"),
    "kill-server": ([], ["kill"], "peer", "killed"),
    "no-fault": ([], [], "nowhere", "serving"),
    "power-off-client": ([], ["power_off"], "peer", "powered off"),
    "power-off-server": ([], ["power_off"], "peer", "powered off"),
    "reboot-client": ([], [], "peer", "vanished"),
    "reboot-server": ([], [], "peer", "vanished"),
    "reject-packets": ([("reject", {"kind": "host", "toward": "peer"})], [], "router", "cut off"),
    "shrink-mtu": ([("shrink_mtu", {"toward": "peer", "mtu": 1280})], [], "router", "cut off"),
}

# What is taken, as typed and as meant; what is refused.
OPTIONS = {
    ("connect", "icmp"): ({"none": "none", "host": "host", "net": "net", "admin": "admin"}, ["port"]),
    ("crash-client", "heal-after"): ({"10ms": 0.01, "30": 30.0, "1d": 86_400.0}, ["9ms", "1", "1999ms", "86401"]),
    ("crash-server", "heal-after"): ({"10ms": 0.01, "30": 30.0, "1d": 86_400.0}, ["9ms", "86401"]),
    ("cut-link", "direction"): ({"both": "both", "to-client": "to-client", "to-server": "to-server"}, ["client", ""]),
    ("cut-link", "where"): (
        {at: at for at in ("router", "own-queue", "own-filter", "own-link", "far-link", "next-hop")},
        ["here"],
    ),
    ("drop-packets", "percent"): ({"100": 100.0, "0.1%": 0.1}, ["0", "100.1", "-1", "all"]),
    ("expire-nat", "nat-timeout"): ({"1": 1, "4m": 240, "432000": 432_000}, ["0", "432001", "500ms"]),
    ("expire-nat", "on-expiry"): ({"silent": "silent", "reset": "reset"}, ["icmp"]),
    ("flap-link", "down"): ({"10ms": 0.01, "2m": 120.0, "1d": 86_400.0}, ["9ms", "0", "86401"]),
    ("reject-packets", "icmp"): ({"host": "host", "net": "net", "admin": "admin"}, ["none"]),
    ("shrink-mtu", "mtu"): ({"1280": 1280, "1400": 1400}, ["1279", "1401"]),
}


def make(name, **typed):
    kind = all_faults()[name]
    return kind(**parse(kind.options, {key.replace("-", "_"): value for key, value in typed.items()}))


def survivors(name):
    survivor = all_faults()[name].survivor
    return SIDES if survivor is None else (survivor,)


EVERY = [(name, survivor) for name in NAMES for survivor in survivors(name)]


def test_a_fault_is_found_by_its_file():
    assert list(all_faults()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_it_can_be_read_about_and_asked_for(name):
    kind = all_faults()[name]
    assert kind.name == name and issubclass(kind, Fault)
    assert len(kind.help) > 20 and "\n" not in kind.help
    assert kind.traffics
    if name.endswith(("-client", "-server")):
        assert kind.survivor == other(name.rpartition("-")[2])


def test_every_option_of_a_fault_is_tried():
    assert set(OPTIONS) == {(name, option.name) for name in NAMES for option in all_faults()[name].options}


@pytest.mark.parametrize(("name", "option"), OPTIONS)
def test_an_option_takes_its_range_and_no_more(name, option):
    taken, refused = OPTIONS[name, option]
    parser = next(each for each in all_faults()[name].options if each.name == option)
    assert parser.help
    for text, value in taken.items():
        assert parser.parse(text) == value
    for text in refused:
        with pytest.raises(Refused, match=f"^--{option}: ") as line:
            parser.parse(text)
        assert "\n" not in str(line.value)


@pytest.mark.parametrize(("name", "survivor"), EVERY)
def test_the_predictor_is_told_what_it_does(name, survivor):
    fault = make(name)
    for traffic in fault.traffics:
        expected = EFFECTS[name]
        if traffic == "blocked" and name in ("kill-client", "kill-server", "no-fault"):
            continue  # below
        assert fault.effect(traffic, survivor) == expected


def test_data_that_nobody_read_changes_the_goodbye():
    assert make("kill-server").effect("blocked", "client").peer == "rst"
    assert make("no-fault").effect("blocked", "client").peer == "full"


@pytest.mark.parametrize("survivor", SIDES)
def test_a_cut_in_one_direction_is_half_open_only_for_the_end_that_hears_nothing(survivor):
    deaf, mute = make("cut-link", direction=f"to-{survivor}"), make("cut-link", direction=f"to-{other(survivor)}")
    assert deaf.effect("idle", survivor) == Effect(to_survivor="drop", to_peer="pass")
    assert mute.effect("idle", survivor) == Effect(to_survivor="pass", to_peer="drop")
    assert deaf.claim_for(survivor) == "half-open" and mute.claim_for(survivor) == "one-way"


def test_a_crash_whose_network_heals_is_an_outage_with_a_late_goodbye_or_none():
    early, late = make("crash-client", **{"heal-after": "500ms"}), make("crash-client", **{"heal-after": "5"})
    assert early.effect("idle", "server") == Effect(to_peer="drop", to_survivor="drop", peer="fin", heals_after_s=0.5)
    assert early.effect("blocked", "server").peer == "rst"
    assert late.effect("idle", "server").peer == "gone"
    assert (early.claim_for("server"), make("crash-client").claim_for("server")) == ("outage", "half-open")


def test_options_change_the_effect():
    assert make("drop-packets", percent="100").effect("idle", "client") == BLACK_HOLE
    assert make("drop-packets", percent="25").effect("idle", "client").loss == 0.25
    assert make("flap-link", down="500ms").effect("idle", "client").heals_after_s == 0.5
    assert make("reject-packets", icmp="net").effect("idle", "client").icmp == "net"
    assert make("connect", icmp="net").effect("connect", "client") == Effect(
        to_peer="reject", to_survivor="drop", icmp="net"
    )
    assert make("expire-nat", **{"on-expiry": "reset"}).effect("idle", "client").to_peer == "reset"


# -- against a scripted lab --------------------------------------------------------------------------------------------


def injected(fault, survivor):
    """Open a connection in a fake lab, put the fault in force and heal it; return lab, stage and both marks."""

    async def go():
        lab = FakeLab()
        trial = Trial(fault=fault.name, survivor=survivor, traffic=fault.traffics[0], options=fault.values)
        await fault.prepare(lab)
        stage = await open_stage(lab, trial, fault, lambda name, **fields: None)
        stage.waited = []
        stage.until = lambda instant: asyncio.sleep(0, stage.waited.append(instant))
        await fault.await_moment(stage)
        mark = await fault.inject(stage)
        before_healing = list(lab.path.done)
        return lab, stage, mark, before_healing, await fault.heal(stage)

    return asyncio.run(go())


@pytest.mark.parametrize(("name", "survivor"), EVERY)
def test_it_is_put_in_force_where_and_as_it_says_and_is_healed(name, survivor):
    lab, _, mark, done, healed = injected(make(name), survivor)
    path, host, where, peer = INJECTED[name]
    meant = [(act, {k: other(survivor) if v == "peer" else v for k, v in given.items()}) for act, given in path]
    assert done == meant
    peer_host = lab.client if survivor == "server" else lab.server
    assert [what for what, _ in peer_host.done][: len(host)] == host
    assert mark.where == (other(survivor) if where == "peer" else where)
    assert mark.peer == peer
    assert mark.before <= mark.after
    if name != "expire-nat":  # its mark lies where the mapping will have expired
        assert mark.after <= healed.before
    undone = (
        lab.path.done[len(done) :] or peer_host.done[len(host) :] or peer_host.endpoints["main"].was_asked("resume")
    )
    assert len(undone) == 1


@pytest.mark.parametrize("name", ["crash-client", "crash-server"])
def test_a_crash_cuts_first_and_kills_then(name):
    order = []

    async def go():
        lab, fault = FakeLab(), make(name)
        stage = await open_stage(lab, Trial(fault=name, survivor=fault.survivor), fault, lambda *_, **__: None)
        cut, kill = lab.path.cut, stage.peer.host.kill
        lab.path.cut = lambda *a, **k: order.append("cut") or cut(*a, **k)
        stage.peer.host.kill = lambda *a: order.append("kill") or kill(*a)
        await fault.inject(stage)

    asyncio.run(go())
    assert order == ["cut", "kill"]  # the other way round, a FIN would get out


@pytest.mark.parametrize("name", NAMES)
def test_only_a_peer_with_a_process_of_its_own_is_killed_or_stopped(name):
    assert bool({"kill", "stop"} & set(INJECTED[name][1])) == all_faults()[name].own_process


def test_a_cut_elsewhere_than_in_the_router_says_where():
    _, _, mark, done, _ = injected(make("cut-link", where="own-link"), "server")
    assert done == [("place", {"where": "own-link", "survivor": "server"})]
    assert mark.where == "own-link"


@pytest.mark.parametrize(("direction", "cut"), [("to-client", (True, False)), ("to-server", (False, True))])
def test_a_cut_in_one_direction_cuts_that_one(direction, cut):
    _, _, _, done, _ = injected(make("cut-link", direction=direction), "client")
    assert done == [("cut", {"to_client": cut[0], "to_server": cut[1]})]


def test_connect_with_icmp_is_rejected_in_place_of_swallowed():
    _, _, _, done, _ = injected(make("connect", icmp="admin"), "client")
    assert done == [("reject", {"kind": "admin", "toward": "server"})]


def test_the_nats_clock_starts_when_the_last_packet_has_been_forgotten():
    fault = make("expire-nat", **{"nat-timeout": "7"})
    _, stage, mark, _, _ = injected(fault, "client")
    assert stage.waited == [pytest.approx(asyncio.run(stage.last_passed()) + 7)]
    assert fault.facts(mark) == {"mapping_expires_at": pytest.approx(stage.waited[0])}


def renewed_at(instants, asked):
    """Let a fault wait while packets pass at ``instants``, seconds after the last of the opening; return both."""

    async def go():
        lab, fault = FakeLab(), make("expire-nat", **{"nat-timeout": "5"})
        trial = Trial(fault="expire-nat", options=fault.values, asked=asked)
        stage = await open_stage(lab, trial, fault, lambda *_, **__: None)
        opened, reached = await stage.last_passed(), [0.0]

        async def last_passed():
            return opened + max([0.0, *(at for at in instants if at <= reached[0])])

        async def until(instant):
            reached[0] = instant - opened

        stage.last_passed, stage.until = last_passed, until
        await fault.await_moment(stage)
        mark = await fault.inject(stage)
        return mark.before / 1e9 - opened, fault.facts(mark)["mapping_expires_at"] - opened, mark

    return asyncio.run(go())


def test_the_nats_clock_starts_when_a_mapping_that_was_renewed_once_has_expired():
    at, expires, mark = renewed_at([2.0], Asked(idle_s=2, interval_s=5, count=3))
    assert (at, expires) == (pytest.approx(7.0), pytest.approx(7.0))
    assert mark.after - mark.before == 10_000_000


def test_a_mapping_that_is_held_is_not_waited_for():
    at, expires, mark = renewed_at(range(1, 100), Asked(idle_s=1, interval_s=1, count=3))
    assert (at, expires) == (pytest.approx(5.0), pytest.approx(10.0))
    assert mark.after == mark.before
    # 4.9 s come late by what the wheel adds: in time or not, and always alike from the third on.
    at, expires, _ = renewed_at([4.9 * n for n in range(1, 100)], Asked(idle_s=1, interval_s=5, count=3))
    assert (at, expires) == (pytest.approx(19.7), pytest.approx(24.6))


def test_a_window_is_closed_by_a_peer_that_reads_no_more():
    lab, stage, mark, _, _ = injected(make("fill-window"), "client")
    assert [do for do, _ in lab.server.endpoints["main"].asked][-2:] == ["pause", "resume"]
    assert [do for do, _ in lab.client.endpoints["main"].asked][-2:] == ["small_send_buffer", "fill"]
    assert mark.at_s == pytest.approx(stage.closed_window())
    assert lab.server.endpoints["main"].was_asked("listen")[0]["small"]
