"""The engine against a scripted lab: what it does with a trial, from opening to record, in milliseconds."""

import asyncio

import pytest

from harness.experiment import run_trial
from harness.labs.fake import FakeLab
from harness.predict.situation import Kernel
from harness.spec.settings import Asked
from harness.spec.trial import Trial

KEEPALIVE = Asked(idle_s=2, interval_s=1, count=3)
KERNEL = Kernel(hz=250)
QUIET_S = 0.005  # so that the greeting is not taken for data in flight


class Script:
    """Hears what the engine tells, and lets the survivor notice as soon as it is known what was predicted."""

    def __init__(self, lab, act=None):
        self.lab, self.act, self.told = lab, act, []

    def __call__(self, name, **fields):
        self.told.append((name, fields))
        if name == "prediction" and self.act is not None:
            self.act(self.lab, fields["prediction"], fields["fault_at"])

    def names(self):
        return [name for name, _ in self.told]


def trial(fault="crash-client", **fields):
    survivor = {"crash-client": "server", "reboot-client": "server", "freeze-client": "server"}.get(fault, "client")
    return Trial(fault=fault, **{"asked": KEEPALIVE, "quiet_s": QUIET_S, "survivor": survivor, **fields})


def run(asked, act=None, lab=None):
    lab = lab or FakeLab()
    script = Script(lab, act)
    record = asyncio.run(asyncio.wait_for(run_trial(lab, asked, script), 5))
    return record, lab, script


def sign_in_time(sign="ETIMEDOUT", side="server", **fields):
    def act(lab, prediction, fault_at):
        lab.sign(side, sign, fault_at + prediction.earliest_s + 0.001, **fields)

    return act


def closed_quietly(lab, host):
    return any(
        call == {"conn": call["conn"], "how": "vanish"}
        for e in host.endpoints.values()
        for call in e.was_asked("close")
    )


def test_a_detection_as_predicted_is_proved_and_agrees():
    record, lab, _ = run(trial(), sign_in_time())
    assert record.detection.verdict == "detected"
    assert (record.detection.sign, record.detection.by) == ("ETIMEDOUT", "keepalive")
    assert record.fault.quiet_s >= QUIET_S
    assert record.prediction.earliest_s < record.detection.after_s < record.prediction.latest_s
    assert record.agrees and record.proof.holds and record.proof.half_open
    assert record.settings.idle_s == 2 and record.settings.keepalive
    assert record.why.startswith("The server noticed ")
    assert [what for what, _ in lab.path.done] == ["cut", "heal"]
    assert lab.client.done == [("kill", record_peer(lab))]


def record_peer(lab):
    return next(name for name in lab.client.endpoints if name.endswith("-peer"))


def test_what_happens_is_told_in_its_order():
    _, _, script = run(trial(), sign_in_time())
    names = [name for name in script.names() if name in ("injecting", "fault", "prediction")]
    assert names == ["injecting", "fault", "prediction"]
    sign = next(fields for name, fields in script.told if name == "endpoint" and fields["what"] == "sign")
    assert (sign["side"], sign["sign"]) == ("server", "ETIMEDOUT")


def test_a_sign_at_another_time_is_measured_but_disagrees():
    def too_early(lab, prediction, fault_at):
        lab.sign("server", "ETIMEDOUT", fault_at + prediction.earliest_s - 0.5)

    record, _, _ = run(trial(), too_early)
    assert record.detection.verdict == "detected" and record.proof.holds
    assert not record.agrees
    assert "a finding" in record.why


def test_the_kernels_own_instant_is_taken_from_its_rst():
    def dies(lab, prediction, fault_at):
        lab.send("server", flags="RA")
        lab.sign("server", "ETIMEDOUT", fault_at + prediction.earliest_s + 0.001)

    record, _, _ = run(trial(), dies)
    assert 0 < record.detection.kernel_after_s < 1
    assert not record.agrees  # that RST left at once, not after the three probes


@pytest.mark.parametrize("traffic", ["idle", "request"])
def test_where_nothing_is_armed_the_miss_is_known_at_once(traffic):
    record, _, _ = run(trial("cut-link", asked=Asked(), traffic=traffic))
    assert record.detection.verdict == record.prediction.verdict == "missed"
    assert record.detection.after_s is None and record.detection.watched_s < 1
    assert record.agrees and record.proof.holds and record.proof.timer == "none"
    assert record.why.startswith("The client will never notice.")


def test_a_limit_is_watched_to_its_end_even_where_nothing_is_armed():
    record, _, _ = run(trial("cut-link", asked=Asked(), limit_s=0.02))
    assert record.detection.verdict == "missed"
    assert record.detection.watched_s == pytest.approx(0.02)


def test_what_reaches_the_survivor_after_the_fault_spoils_the_proof():
    lab = FakeLab()
    lab.path.leaky = True

    def leaks(lab, prediction, fault_at):
        lab.send("client", payload=1)
        sign_in_time()(lab, prediction, fault_at)

    record, _, _ = run(trial(), leaks, lab)
    assert not record.proof.holds and not record.proof.half_open
    assert record.proof.missing == "1 segments reached the survivor after the fault"
    assert "This is not a measurement" in record.why
    assert record.detection.verdict == "detected"


def test_a_capture_with_holes_proves_nothing():
    def loses(lab, prediction, fault_at):
        lab.lost += 1
        sign_in_time()(lab, prediction, fault_at)

    record, _, _ = run(trial(), loses)
    assert not record.proof.holds and "capture lost packets" in record.proof.missing


def test_what_a_capture_lost_before_the_trial_is_no_hole_in_it():
    lab = FakeLab()
    lab.lost = 1
    record, _, _ = run(trial(), sign_in_time(), lab)
    assert record.proof.holds and record.proof.capture_complete


def test_a_survivor_that_is_already_dead_is_no_half_open_connection():
    lab = FakeLab()
    lab.server.seen = None
    record, _, _ = run(trial(), sign_in_time(), lab)
    assert record.proof.missing == "the survivor's socket was gone right after the fault"


def test_an_interrupted_trial_heals_and_takes_its_connection_away():
    lab = FakeLab()

    async def interrupted():
        running = asyncio.current_task()
        script = Script(lab, lambda *_: running.cancel())
        await run_trial(lab, trial("freeze-client"), script)

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(interrupted())
    assert [what for what, _ in lab.client.done] == ["stop", "resume"]
    assert closed_quietly(lab, lab.client) and closed_quietly(lab, lab.server)
    assert lab.listened_to() == []


def test_a_trial_that_ends_well_leaves_nothing_either():
    _, lab, _ = run(trial(), sign_in_time())
    assert closed_quietly(lab, lab.server)
    assert lab.listened_to() == []


def test_a_peer_that_is_to_die_gets_a_process_of_its_own():
    _, lab, _ = run(trial(), sign_in_time())
    assert list(lab.server.endpoints) == ["main"]
    assert "main" not in lab.client.endpoints


def test_retries_of_an_earlier_trial_do_not_stay():
    lab = FakeLab()
    run(trial("cut-link", asked=Asked(retries2=3)), lab=lab)
    assert lab.client.sysctls["net.ipv4.tcp_retries2"] == 3
    record, _, _ = run(trial("cut-link", asked=Asked()), lab=lab)
    assert lab.client.sysctls["net.ipv4.tcp_retries2"] == record.settings.retries2 == 15


def test_an_outage_heals_by_itself_and_the_connection_is_asked_whether_it_lives():
    record, lab, script = run(trial("flap-link", asked=Asked(), options={"down": 0.01}, limit_s=0.05))
    assert "healed" in script.names()
    assert record.fault.healed_after_s >= 0.01
    assert record.detection.verdict == record.prediction.verdict == "survived"
    assert record.agrees and record.proof.holds
    assert len(lab.client.endpoints["main"].was_asked("ping")) == 2  # the greeting, and this


def test_a_healthy_connection_that_is_declared_dead_is_a_mistake():
    record, _, _ = run(trial("no-fault"), lambda lab, _, at: lab.sign("client", "ETIMEDOUT", at + 1.0))
    assert record.detection.verdict == "mistaken"
    assert record.prediction.verdict == "survived" and not record.agrees


def test_the_peers_own_goodbye_is_not_a_mistake():
    def goodbye(lab, prediction, fault_at):
        lab.send("server", flags="FA")
        lab.sign("client", "EOF", fault_at + 0.001)

    record, _, _ = run(trial("kill-server", asked=Asked()), goodbye)
    assert (record.detection.verdict, record.detection.by) == ("detected", "peer")
    assert record.proof.holds and not record.proof.half_open
    assert record.agrees


def test_connect_starts_its_clock_with_the_syn():
    record, lab, _ = run(
        trial("connect", asked=Asked(syn_count=1), traffic="connect"),
        sign_in_time(side="client", call="connect"),
    )
    assert [what for what, _ in lab.path.done] == ["cut", "heal"]
    assert (record.detection.sign, record.detection.by) == ("ETIMEDOUT", "syn-retries")
    assert record.settings.syn_count == 1
    assert record.proof.survivor_state == "SYN_SENT" and record.proof.holds
    assert record.agrees


def test_a_connect_that_is_given_up_at_its_limit_is_missed():
    record, _, _ = run(trial("connect", asked=Asked(), traffic="connect", limit_s=0.01))
    assert record.detection.verdict == "missed" and record.detection.watched_s == pytest.approx(0.01)
