"""Every option of every command: what it takes, where its range ends, and how it refuses."""

import pytest

from harness.commands import experiments
from harness.errors import HalfopenError, Refused, Unavailable
from harness.faults import all_faults
from harness.labs.agent import EndpointGone
from harness.spec.options import RUN, SETTINGS, TRIAL, asked, parse
from harness.spec.trial import TRAFFIC

ANY = all_faults()["cut-link"]

# name: what is taken, as typed and as meant; what is refused; the range that the refusal must name.
OPTIONS = {
    "keepalive": ({"1": 1, "32767": 32_767, "2m": 120, "2h": 7200}, ["0", "32768", "1.5"], "from 1 to 32767"),
    "interval": ({"1": 1, "32767s": 32_767}, ["0", "32768", "100ms"], "from 1 to 32767"),
    "probes": ({"1": 1, "127": 127}, ["0", "128", "2.0", "two"], "from 1 to 127"),
    "user-timeout": (
        {"0": 0, "1ms": 1, "30": 30_000, "2147483647ms": 2_147_483_647},
        ["2147483648ms", "0.1ms"],
        "from 0ms to 2147483647ms",
    ),
    "read-deadline": ({"1ms": 0.001, "30": 30.0, "365d": 31_536_000.0}, ["0", "366d"], "from 0.001 s to 3.1536e+07 s"),
    "write-deadline": ({"1ms": 0.001, "1m": 60.0}, ["0", "366d"], "from 0.001 s to 3.1536e+07 s"),
    "deadline-by": ({"poll": "poll", "rcvtimeo": "rcvtimeo"}, ["epoll", "POLL", ""], "poll, rcvtimeo"),
    "heartbeat": ({"10ms": 0.01, "5": 5.0}, ["9ms", "0", "366d"], "from 0.01 s to "),
    "heartbeat-misses": ({"1": 1, "1000": 1000}, ["0", "1001"], "from 1 to 1000"),
    "retries": ({"0": 0, "255": 255}, ["256", "-1"], "from 0 to 255"),
    "rto-max": ({"1": 1000, "1000ms": 1000, "120": 120_000}, ["999ms", "120001ms"], "from 1000ms to 120000ms"),
    "syn-retries": ({"1": 1, "127": 127}, ["0", "128"], "from 1 to 127"),
    "traffic": ({kind: kind for kind in TRAFFIC}, ["connect", "Idle", ""], ", ".join(TRAFFIC)),
    "survivor": ({"client": "client", "server": "server"}, ["both", "peer"], "client, server"),
    "ipv": ({"4": 4, "6": 6}, ["5", "46", ""], "4, 6"),
    "quiet": ({"0": 0.0, "200ms": 0.2, "1d": 86_400.0}, ["86401"], "from 0 s to 86400 s"),
    "write-after": ({"0": 0.0, "2500ms": 2.5, "1d": 86_400.0}, ["86401"], "from 0 s to 86400 s"),
    "limit": ({"0": 0.0, "90": 90.0, "365d": 31_536_000.0}, ["366d"], "from 0 s to "),
    "repeat": ({"1": 1, "100000": 100_000}, ["0", "100001", "1.5"], "from 1 to 100000"),
}
GENERAL = {option.name: option for option in (*SETTINGS, *TRIAL, *RUN)}


def test_no_option_goes_untested():
    assert set(GENERAL) == set(OPTIONS) | {"results", "json", "pcap"}


@pytest.mark.parametrize("name", OPTIONS)
def test_the_ends_of_its_range_are_taken(name):
    for text, value in OPTIONS[name][0].items():
        assert GENERAL[name].parse(text) == value


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, (_, texts, _) in OPTIONS.items() for text in texts])
def test_just_outside_is_refused_in_one_line_that_names_the_range(name, text):
    with pytest.raises(Refused) as refused:
        GENERAL[name].parse(text)
    line = str(refused.value)
    assert line.startswith(f"--{name}: {text!r} is ") and "\n" not in line
    assert OPTIONS[name][2] in line


@pytest.mark.parametrize("option", GENERAL.values(), ids=list(GENERAL))
def test_every_option_has_help_and_a_place_in_the_trial(option):
    assert option.help and "\n" not in option.help
    assert option.parameter.isidentifier()


def test_what_was_not_typed_has_its_default():
    values = parse(TRIAL, {})
    assert (values["ipv"], values["quiet_s"], values["traffic"], values["limit_s"]) == (4, 0.2, None, None)
    assert parse(RUN, {"json": True, "pcap": False})["json"] is True


def test_settings_as_typed():
    settings = asked({"keepalive": "2", "interval": "1", "probes": "3", "user_timeout": "3s", "heartbeat": "1"})
    assert (settings.idle_s, settings.interval_s, settings.count) == (2, 1, 3)
    assert (settings.user_timeout_ms, settings.heartbeat_s, settings.heartbeat_misses) == (3000, 1.0, 2)


@pytest.mark.parametrize(
    ("typed", "needs"),
    [
        ({"interval": "1"}, "--keepalive"),
        ({"probes": "3"}, "--keepalive"),
        ({"heartbeat_misses": "2"}, "--heartbeat"),
        ({"deadline_by": "poll"}, "--read-deadline"),
    ],
)
def test_a_setting_that_would_do_nothing_is_refused(typed, needs):
    with pytest.raises(Refused, match=f"has no effect without {needs}; give {needs} as well"):
        asked(typed)


# -- the options of a fault's command ----------------------------------------------------------------------------------


def names(fault):
    return [option.name for option in experiments.options_of(all_faults()[fault])]


def test_a_command_has_its_faults_own_options_first_and_each_once():
    assert names("flap-link")[0] == "down"
    for fault in all_faults():
        assert len(set(names(fault))) == len(names(fault))


def test_a_command_has_no_option_that_makes_no_sense_with_its_fault():
    assert "survivor" in names("cut-link") and "survivor" not in names("crash-client")
    assert "traffic" in names("cut-link") and "traffic" not in names("fill-window")
    assert not {"traffic", "quiet", "survivor", "write-after"} & set(names("connect"))


def test_typed_options_become_trials():
    trials = experiments.trials_of(
        ANY, {"repeat": "3", "keepalive": "2", "survivor": "server", "direction": "to-server"}
    )
    assert [trial.number for trial in trials] == [0, 1, 2]
    assert {trial.survivor for trial in trials} == {"server"}
    assert trials[0].options["direction"] == "to-server" and trials[0].asked.idle_s == 2


def test_the_client_survives_and_the_first_traffic_goes_on_where_nothing_was_said():
    (trial,) = experiments.trials_of(ANY, {})
    assert (trial.survivor, trial.traffic, trial.ipv, trial.quiet_s) == ("client", "idle", 4, 0.2)
    (trial,) = experiments.trials_of(all_faults()["crash-client"], {})
    assert trial.survivor == "server"
    (trial,) = experiments.trials_of(all_faults()["shrink-mtu"], {})
    assert trial.traffic == "write"


def test_a_traffic_that_a_fault_does_not_take_is_refused():
    with pytest.raises(Refused, match="--traffic: expire-nat takes idle, write, request; not stream"):
        experiments.trials_of(all_faults()["expire-nat"], {"traffic": "stream"})


def test_a_later_write_needs_a_write():
    with pytest.raises(Refused, match="--write-after has no effect without --traffic write"):
        experiments.trials_of(ANY, {"write_after": "1"})
    (trial,) = experiments.trials_of(ANY, {"write_after": "1", "traffic": "write"})
    assert trial.write_after_s == 1.0


# -- exit codes --------------------------------------------------------------------------------------------------------


@pytest.fixture
def run(monkeypatch):
    """Have the runner do what the test says, in place of running."""

    def instead(do):
        monkeypatch.setattr("harness.runner.run", do)

    return instead


def code(tmp_path, typed=None):
    return experiments.experiment(ANY, {"json": False, "pcap": False, **(typed or {})}, tmp_path)


def raising(error):
    def run(trials, wanted, place):
        raise error

    return run


@pytest.mark.parametrize("given", [0, 3, 130])
def test_the_runs_own_code_is_the_commands(run, tmp_path, given):
    run(lambda trials, wanted, place: given)
    assert code(tmp_path) == given


@pytest.mark.parametrize(
    ("error", "expected"),
    [(Refused("no such"), 2), (EndpointGone("gone"), 3), (Unavailable("no veth"), 4), (HalfopenError("other"), 1)],
)
def test_an_error_is_one_line_and_its_code(run, tmp_path, capsys, error, expected):
    run(raising(error))
    assert code(tmp_path) == expected
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", f"{error}\n")


def test_ctrl_c_is_130(run, tmp_path, capsys):
    run(raising(KeyboardInterrupt()))
    assert code(tmp_path) == 130
    assert capsys.readouterr().err == ""


def test_a_bug_is_not_hidden(run, tmp_path):
    run(raising(ValueError("a bug")))
    with pytest.raises(ValueError, match="a bug"):
        code(tmp_path)


def test_a_refused_value_ends_the_command_before_anything_runs(run, tmp_path, capsys):
    run(raising(AssertionError("it ran")))
    assert code(tmp_path, {"keepalive": "0"}) == 2
    assert capsys.readouterr().err == "--keepalive: '0' is refused; the kernel takes whole seconds from 1 to 32767\n"


def test_where_the_results_go(run, tmp_path):
    seen = []
    run(lambda trials, wanted, place: seen.append(wanted) or 0)
    code(tmp_path)
    code(tmp_path, {"results": "/elsewhere", "json": True})
    assert [str(wanted.results) for wanted in seen] == [str(tmp_path), "/elsewhere"]
    assert [wanted.json for wanted in seen] == [False, True]


def test_results_that_cannot_be_written_are_code_4(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert code(tmp_path, {"results": str(tmp_path / "file")}) == 4
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1 and "name another with --results" in printed
