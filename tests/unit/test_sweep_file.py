"""Sweeps as TOML: what they ask, and the one line that a mistake in them gets."""

from pathlib import Path

import pytest

from harness.errors import Refused
from harness.sweep.file import load, shipped
from harness.sweep.matrix import make

_GOOD = """
name = "night-1"
about = "for a test"
seed = 7
repeat = 2
keepalive = [5, "10s"]
exclude = [{ keepalive = 10, fault = "cut-link" }]

[[sweep]]
fault = ["crash-client", "cut-link"]
interval = 1

[[sweep]]
fault = "flap-link"
keepalive = 1
down = [0.5, 2]
repeat = 1
exclude = [{ down = "2" }]
"""


def _load(text: str, tmp_path: Path, name: str = "s.toml", **overrule: int):  # type: ignore[no-untyped-def]
    file = tmp_path / name
    file.write_text(text)
    return load(str(file), **overrule)


def test_blocks_share_what_is_said_above_them(tmp_path: Path) -> None:
    asked = _load(_GOOD, tmp_path)
    assert (asked.name, asked.seed, asked.source) == ("night-1", 7, _GOOD)
    made = make(asked.products)
    told = [(t.fault, t.asked.idle_s, t.asked.interval_s, t.options.get("down")) for t in made.trials]
    assert told == [
        ("crash-client", 5, 1, None),
        ("crash-client", 5, 1, None),
        ("crash-client", 10, 1, None),
        ("crash-client", 10, 1, None),
        ("cut-link", 5, 1, None),
        ("cut-link", 5, 1, None),
        ("flap-link", 1, None, 0.5),
    ]
    assert made.excluded == 2


def test_a_file_without_blocks_is_one_product_named_after_the_file(tmp_path: Path) -> None:
    asked = _load('fault = "cut-link"\nuser-timeout = ["500ms", 3]\ntraffic = "write"', tmp_path, "quick.toml")
    assert asked.name == "quick"
    assert [t.asked.user_timeout_ms for t in make(asked.products).trials] == [500, 3000]


def test_repeat_and_seed_of_the_command_line_overrule(tmp_path: Path) -> None:
    asked = _load(_GOOD, tmp_path, repeat=3, seed=9)
    assert asked.seed == 9 and [product.repeat for product in asked.products] == [3, 3]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("keepalive = 5", r"^PATH: fault is missing"),
        ("fault = 'cut-link'\nkeepalvie = 5", r"^PATH: keepalvie: no such key; allowed: .*keepalive"),
        ("fault = 'cut-lnk'", r"^PATH: fault: 'cut-lnk' is unknown; allowed: .*cut-link"),
        ("fault = 'cut-link'\nkeepalive = 0", r"^PATH: keepalive: '0' is refused; the kernel takes whole seconds"),
        ("fault = 'cut-link'\nkeepalive = []", r"^PATH: keepalive: a number, a text, or a list of them is allowed"),
        ("fault = 'cut-link'\nkeepalive = true", r"^PATH: keepalive: a number, a text"),
        ("fault = 'cut-link'\nrepeat = 0", r"^PATH: repeat: '0' is refused; a whole number from 1 to 100000"),
        ("fault = 'cut-link'\nseed = 'x'", r"^PATH: seed: .* is refused"),
        ("fault = 'cut-link'\nname = '../up'", r"^PATH: name: '../up' is refused"),
        ("fault = 'cut-link'\nexclude = 5", r"^PATH: exclude: tables of values are allowed"),
        ("fault = 'cut-link'\nexclude = [{ keepalvie = 5 }]", r"^PATH: exclude: keepalvie: no such option"),
        ("fault = 'cut-link'\nexclude = [{ traffic = 'chat' }]", r"^PATH: exclude: traffic: 'chat' is unknown"),
        ("sweep = 5", r"^PATH: sweep: tables are allowed"),
        ("[[sweep]]\nfault = 'cut-link'\n[[sweep]]\nkeepalive = 5", r"^PATH: \[\[sweep\]\] 2: fault is missing"),
        ("[[sweep]]\nfault = 'cut-link'\nseed = 5", r"^PATH: \[\[sweep\]\] 1: seed: no such key"),
        ("fault = ", r"^PATH: this is not TOML"),
    ],
)
def test_a_mistake_is_one_line_with_the_file_the_key_and_what_is_allowed(text: str, line: str, tmp_path: Path) -> None:
    with pytest.raises(Refused, match=line.replace("PATH", str(tmp_path / "s.toml"))) as refused:
        _load(text, tmp_path)
    assert "\n" not in str(refused.value) and refused.value.exit_code == 2


def test_a_file_that_is_not_there_is_refused_with_what_is(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"nowhere.toml: cannot be read \(No such file or directory\); name a TOML file"):
        load(str(tmp_path / "nowhere.toml"))
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(Refused, match="it is not text"):
        load(str(tmp_path / "bytes.toml"))


@pytest.mark.parametrize("name", shipped())
def test_what_is_shipped_can_be_run(name: str) -> None:
    asked = load(name)
    assert asked.name == name and make(asked.products).trials
