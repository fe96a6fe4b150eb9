"""Products of value lists: every combination that makes sense, once; what makes none is counted or refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from harness.errors import Refused
from harness.faults import all_faults
from harness.spec.cell import cell_of
from harness.spec.trial import Trial
from harness.sweep.matrix import Made, Product, make, rule


def _made(*faults: str, repeat: int = 1, exclude: tuple[dict[str, list[str]], ...] = (), **lists: str) -> Made:
    values = {name.replace("_", "-"): tuple(texts.split(",")) for name, texts in lists.items()}
    rules = tuple(rule(table) for table in exclude)
    return make([Product(faults=faults, values=values, exclude=rules, repeat=repeat)])


def _cells(made: Made) -> list[str]:
    return [cell_of(trial, all_faults()[trial.fault].options) for trial in made.trials]


def test_every_combination_is_there_and_numbered() -> None:
    made = _made("crash-client", "cut-link", keepalive="5,10", interval="1,2", ipv="4,6", repeat=3)
    assert len(made.trials) == 2 * 2 * 2 * 2 * 3 and [t.number for t in made.trials] == list(range(48))
    assert len(set(_cells(made))) == 16
    first = made.trials[0]
    assert (first.fault, first.asked.idle_s, first.asked.interval_s, first.survivor) == ("crash-client", 5, 1, "server")
    assert not made.left_out and not made.excluded and not made.double


def test_a_fault_s_own_option_multiplies_that_fault_alone() -> None:
    made = _made("crash-client", "flap-link", keepalive="5", down="2,20")
    assert [(t.fault, t.options.get("down")) for t in made.trials] == [
        ("crash-client", None),
        ("flap-link", 2.0),
        ("flap-link", 20.0),
    ]


def test_a_traffic_that_a_fault_does_not_take_is_left_out_and_counted() -> None:
    made = _made("expire-nat", "fill-window", "connect", "cut-link", traffic="idle,blocked", user_timeout="1,2")
    told = [(t.fault, t.traffic) for t in made.trials if t.asked.user_timeout_ms == 1000]
    assert told == [
        ("expire-nat", "idle"),
        ("fill-window", "idle"),
        ("connect", "connect"),
        ("cut-link", "idle"),
        ("cut-link", "blocked"),
    ]
    assert sorted(made.left_out.items()) == [
        ("--traffic: expire-nat takes idle, write, request; not blocked", 2),
        ("--traffic: fill-window takes idle; not blocked", 2),
    ]


def test_a_survivor_that_a_fault_does_not_have_is_left_out_and_counted() -> None:
    made = _made("crash-client", "cut-link", keepalive="5,6", survivor="client,server")
    assert [(t.fault, t.survivor) for t in made.trials].count(("crash-client", "server")) == 2
    assert len(made.trials) == 6 and sum(made.left_out.values()) == 2


def test_what_depends_on_something_unset_is_left_out() -> None:
    made = _made("cut-link", keepalive="unset,5", interval="unset,1", user_timeout="3")
    assert [(t.asked.idle_s, t.asked.interval_s) for t in made.trials] == [(None, None), (5, None), (5, 1)]
    assert sum(made.left_out.values()) == 1


def test_nothing_left_is_refused_with_the_reason() -> None:
    with pytest.raises(Refused, match=r"nothing is left to run: 2 x --interval has no effect without --keepalive"):
        _made("cut-link", interval="1,5")
    with pytest.raises(Refused, match="excluded by rules"):
        _made("cut-link", keepalive="5", exclude=({"keepalive": ["5s"]},))


def test_a_rule_excludes_where_all_its_values_match() -> None:
    exclude = ({"keepalive": ["5", "10"], "traffic": ["write"]}, {"fault": ["crash-client"], "ipv": ["6"]})
    made = _made(
        "crash-client", "cut-link", keepalive="5,10,30", traffic="idle,write", ipv="4,6", exclude=exclude, retries="3"
    )
    left = {(t.fault, t.asked.idle_s, t.traffic, t.ipv) for t in made.trials}
    assert ("crash-client", 30, "write", 4) in left and ("cut-link", 10, "idle", 6) in left
    assert not [each for each in left if each[2] == "write" and each[1] in (5, 10)]
    assert not [each for each in left if each[0] == "crash-client" and each[3] == 6]
    assert len(left) + made.excluded == 24


def test_a_rule_about_an_option_that_a_fault_does_not_have_leaves_it_alone() -> None:
    made = _made("cut-link", "flap-link", keepalive="5", down="2,3", exclude=({"down": ["2"]},))
    assert [(t.fault, t.options.get("down")) for t in made.trials] == [("cut-link", None), ("flap-link", 3.0)]


def test_the_same_cell_twice_is_one_cell() -> None:
    products = [Product(faults=("cut-link",), values={"keepalive": texts}) for texts in (("5", "5s", "6"), ("6", "7"))]
    made = make(products)
    assert [t.asked.idle_s for t in made.trials] == [5, 6, 7] and made.double == 2


@pytest.mark.parametrize(
    ("faults", "lists", "line"),
    [
        (("crash",), {}, r"--fault: 'crash' is unknown; allowed: .*crash-client"),
        (("cut-link",), {"keepalive": "5,0"}, r"--keepalive: '0' is refused"),
        (("cut-link",), {"keepaliev": "5"}, r"--keepaliev: no such option; allowed: .*keepalive"),
        (("cut-link",), {"down": "2"}, r"--down: none of cut-link has this option; flap-link has"),
        (("cut-link",), {"ipv": "unset"}, r"--ipv: 'unset' is refused"),
        (("cut-link",), {"traffic": "idle,chat"}, r"--traffic: 'chat' is unknown; allowed: idle"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(faults: tuple[str, ...], lists: dict[str, str], line: str) -> None:
    with pytest.raises(Refused, match=line) as refused:
        _made(*faults, **lists)
    assert "\n" not in str(refused.value)


def test_too_many_are_refused_before_they_are_all_made() -> None:
    with pytest.raises(Refused, match="more than 100000 trials"):
        _made("cut-link", keepalive=",".join(map(str, range(1, 400))), repeat=10_000)


_NUMBERS = some.lists(some.integers(1, 60), min_size=1, max_size=5, unique=True)


@given(_NUMBERS, _NUMBERS, some.integers(1, 3))
def test_the_product_is_whole_and_each_trial_is_what_a_single_experiment_would_be(
    idles: list[int], counts: list[int], repeat: int
) -> None:
    made = _made("cut-link", keepalive=",".join(map(str, idles)), probes=",".join(map(str, counts)), repeat=repeat)
    seen = [(t.asked.idle_s, t.asked.count) for t in made.trials]
    assert sorted(seen) == sorted((i, c) for i in idles for c in counts for _ in range(repeat))
    assert all(isinstance(t, Trial) for t in made.trials)
