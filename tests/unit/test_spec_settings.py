import msgspec
import pytest

from harness.spec.settings import Asked, Settings
from harness.spec.sides import SIDES, other
from harness.spec.trial import TRAFFIC, Trial


def test_what_was_not_asked_for_stays():
    base = Settings(interval_s=30, user_timeout_ms=500, retries2=8)
    assert Asked().over(base) == base


def test_what_was_asked_for_is_laid_over_and_an_idle_time_switches_keepalive_on():
    over = Asked(idle_s=2, count=3, user_timeout_ms=0).over(Settings(interval_s=30, user_timeout_ms=500))
    assert (over.keepalive, over.idle_s, over.interval_s, over.count) == (True, 2, 30, 3)
    assert over.user_timeout_ms == 0


def test_every_setting_that_can_be_asked_for_is_a_setting():
    assert set(Asked.__struct_fields__) <= set(Settings.__struct_fields__)


def test_the_defaults_are_linuxs_own():
    assert (Settings().idle_s, Settings().interval_s, Settings().count) == (7200, 75, 9)
    assert not Settings().keepalive


def test_each_side_has_another():
    assert [other(side) for side in SIDES] == ["server", "client"]


def test_a_trial_survives_its_spelling_as_json():
    trial = Trial(fault="cut-link", options={"direction": "both"}, asked=Asked(idle_s=2), traffic="write", ipv=6)
    assert msgspec.json.decode(msgspec.json.encode(trial), type=Trial) == trial


def test_a_trial_of_an_unknown_traffic_is_no_trial():
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'{"fault": "no-fault", "traffic": "gossip"}', type=Trial)


def test_every_traffic_but_connect_is_explained():
    kinds = set(msgspec.inspect.type_info(Trial).fields[3].type.values)
    assert kinds - {"connect"} == set(TRAFFIC)
