"""What cannot be had is refused before anything is done: exit code 2, and one line that says what is allowed."""

from pathlib import Path

import pytest

from harness.faults import all_faults
from harness.spec.options import RUN, SETTINGS, TRIAL
from tests.lab.program import run

_FREE = {"results"}  # takes any word
# Option, experiment, what else the command needs, and the values that are out of range or not of its kind.
_REFUSED: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "keepalive": ("cut-link", (), ("0", "32768", "1500ms", "soon")),
    "interval": ("cut-link", ("--keepalive", "1"), ("0", "32768")),
    "probes": ("cut-link", ("--keepalive", "1"), ("0", "128", "2.5")),
    "user-timeout": ("cut-link", (), ("2147483648ms", "0.1ms")),
    "read-deadline": ("cut-link", (), ("0", "never")),
    "write-deadline": ("cut-link", (), ("0",)),
    "deadline-by": ("cut-link", ("--read-deadline", "1"), ("select",)),
    "heartbeat": ("cut-link", (), ("1ms",)),
    "heartbeat-misses": ("cut-link", ("--heartbeat", "1"), ("0", "1001")),
    "retries": ("cut-link", (), ("256", "-1")),
    "rto-max": ("cut-link", (), ("999ms", "121")),
    "syn-retries": ("connect", (), ("0", "128")),
    "traffic": ("cut-link", (), ("surf", "connect")),
    "survivor": ("cut-link", (), ("router",)),
    "ipv": ("cut-link", (), ("5",)),
    "quiet": ("cut-link", (), ("-1", "86401")),
    "write-after": ("cut-link", ("--traffic", "write"), ("-1", "86401")),
    "limit": ("cut-link", (), ("-1",)),
    "repeat": ("cut-link", (), ("0", "100001", "twice")),
    "direction": ("cut-link", (), ("up",)),
    "where": ("cut-link", (), ("nowhere",)),
    "percent": ("drop-packets", (), ("0", "101", "some")),
    "nat-timeout": ("expire-nat", (), ("0", "432001")),
    "on-expiry": ("expire-nat", (), ("shrug",)),
    "heal-after": ("crash-client", (), ("0", "86401")),
    "down": ("flap-link", (), ("0", "86401")),
    "icmp": ("reject-packets", (), ("source-quench",)),
    "mtu": ("shrink-mtu", (), ("1279", "1401")),
}
_CASES = [(option, value) for option, (_, _, values) in _REFUSED.items() for value in values]


def test_no_option_is_forgotten() -> None:
    own = [option for fault in all_faults().values() for option in fault.options]
    taking = {option.name for option in (*SETTINGS, *TRIAL, *RUN, *own) if not option.is_flag}
    assert taking - _FREE == _REFUSED.keys()


@pytest.mark.parametrize(("option", "value"), _CASES)
def test_a_refused_value(option: str, value: str, tmp_path: Path) -> None:
    experiment, needs, _ = _REFUSED[option]
    ended = run(experiment, *needs, f"--{option}={value}", results=tmp_path / "results")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(f"--{option}: ") and ended.err.count("\n") == 1, ended.err
    assert value.removesuffix("ms") in ended.err
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("name", "value", "needs"),
    [
        ("--interval", "1", "--keepalive"),
        ("--probes", "3", "--keepalive"),
        ("--heartbeat-misses", "3", "--heartbeat"),
        ("--deadline-by", "rcvtimeo", "--read-deadline"),
    ],
)
def test_a_setting_that_has_no_effect_alone(name: str, value: str, needs: str, tmp_path: Path) -> None:
    ended = run("cut-link", name, value, results=tmp_path / "results")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == f"{name} has no effect without {needs}; give {needs} as well, or leave {name} out\n"
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    "words",
    [
        ("vanish-client",),
        ("cut-link", "--nonsense"),
        ("cut-link", "nonsense"),
        ("crash-client", "--survivor=server"),  # its name says who survives
        ("cut-link", "--keepalive"),
    ],
)
def test_what_invoke_itself_does_not_know(words: tuple[str, ...]) -> None:
    ended = run(*words, results=None)
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.count("\n") == 1, ended.err
