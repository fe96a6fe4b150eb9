"""Every ending as a whole command in the lab: what it must show, by its record, and that it takes effect at once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.lab import pcapng
from tests.lab.program import Ended, run

Record = dict[str, Any]
_EFFECT_WITHIN_S = 0.05


def _states(record: Record, side: str) -> list[str]:
    found: list[str] = []
    for look in record["states"]:
        if look["side"] == side and (not found or found[-1] != look["state"]):
            found.append(look["state"])
    return found


def _goodbyes(record: Record, side: str) -> list[str]:
    return [
        p["role"] for p in record["packets"] if p["sender"] == side and p["role"] in ("fin", "rst") and not p["again"]
    ]


def _said(record: Record, side: str, call: str) -> list[Any]:
    return [
        a["error"] or a["result"] for a in record["acts"] if (a["side"], a["call"]) == (side, call) and a["at_s"] >= 0
    ]


def _lost(record: Record, writer: str) -> int:
    return next(int(part["lost"]) for part in record["bytes"] if part["writer"] == writer)


def _took(record: Record, call: str) -> float:
    return next(float(act["took_s"]) for act in record["acts"] if act["call"] == call)


def _graceful(r: Record) -> bool:
    return (_goodbyes(r, "server"), _states(r, "server")[-1], _states(r, "client")[-1]) == (
        ["fin"],
        "TIME_WAIT",
        "CLOSED",
    )


def _reset(r: Record) -> bool:
    reads = _said(r, "client", "recv")
    return (_goodbyes(r, "server"), reads) == (["rst"], [1000, "ECONNRESET", "EOF"])


def _half_open(r: Record) -> bool:
    return _states(r, "client") == ["ESTABLISHED"] and _lost(r, "server") == 1000


_CASES: list[tuple[str, Callable[[Record], bool]]] = [
    ("close-server", _graceful),
    ("close-server --ipv 6", _graceful),
    ("close-server --how immediate", _reset),
    ("close-server --how linger --linger 0", _reset),
    ("close-server --unread", lambda r: _reset(r) and _lost(r, "client") == 1000),
    ("close-server --how half", lambda r: _goodbyes(r, "server") == ["fin"] and _lost(r, "client") == 0),
    ("close-server --how kill", _graceful),
    ("close-server --how kill --unread", lambda r: _reset(r) and _lost(r, "client") == 1000),
    ("close-client --how linger --linger 2s", lambda r: _took(r, "close") < 0.25 and _lost(r, "client") == 0),
    ("close-server --peer gone", lambda r: _half_open(r) and _states(r, "server")[-1] == "CLOSED"),
    ("close-server --how immediate --peer gone", lambda r: _half_open(r) and _goodbyes(r, "server") == ["rst"]),
    ("close-server --how half --peer gone", lambda r: _half_open(r) and _states(r, "server")[-1] == "FIN_WAIT1"),
    (
        "close-server --how linger --linger 1s --peer gone",
        lambda r: _half_open(r) and 1.0 <= _took(r, "close") < 1.1 and _goodbyes(r, "server") == ["fin"],
    ),
    (
        "close-server --how linger --linger 1s --peer gone --nonblocking",
        lambda r: 1.0 <= _took(r, "close") < 1.1 and _said(r, "server", "close") == [None],
    ),
    ("leak-close --fin-timeout 1", lambda r: _states(r, "client")[-2:] == ["FIN_WAIT2", "CLOSED"]),
    ("leak-close --how half --hold 2s", lambda r: _states(r, "client")[-2:] == ["FIN_WAIT2", "TIME_WAIT"]),
    (
        "write-after-close",
        lambda r: _said(r, "client", "send") == [1024, "EPIPE", "EPIPE"] and _lost(r, "client") == 1024,
    ),
    ("write-after-close --how reset", lambda r: _said(r, "client", "send") == ["ECONNRESET", "EPIPE", "EPIPE"]),
    (
        "write-after-close --how shutdown-write",
        lambda r: _lost(r, "client") == 0 and "CLOSE_WAIT" in _states(r, "client"),
    ),
    ("write-after-close --how shutdown-read", lambda r: _lost(r, "client") == 0),
    ("use-after-close", lambda r: _said(r, "client", "send") == ["EBADF"]),
    ("use-after-close --how shutdown-write", lambda r: _said(r, "client", "send") == ["EPIPE"]),
    ("use-after-close --how shutdown-read", lambda r: _said(r, "client", "recv")[0] == "EOF"),
    ("use-after-close --how shutdown-both", lambda r: _said(r, "client", "poll") == ["IN+OUT+RDHUP+HUP"]),
    ("one-way", lambda r: _lost(r, "client") == 1024),
    ("one-way --guard check", lambda r: _lost(r, "client") == 0 and _said(r, "client", "send") == []),
    ("one-way --guard half-close", lambda r: _lost(r, "client") == 0 and len(_said(r, "client", "send")) == 3),
    ("one-way --guard close-write", lambda r: _lost(r, "client") == 3 * 1024),
]


@pytest.fixture(scope="module")
def endings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ended]:
    """Every command of the table, run to its end, three at a time: they mostly wait."""
    commands = [command for command, _ in _CASES]

    def end(command: str) -> Ended:
        return run(*command.split(), "--json", results=tmp_path_factory.mktemp("ending") / "results")

    with ThreadPoolExecutor(3) as pool:
        return dict(zip(commands, pool.map(end, commands), strict=True))


@pytest.mark.parametrize(("command", "shows"), _CASES, ids=[command for command, _ in _CASES])
def test_an_ending(command: str, shows: Callable[[Record], bool], endings: dict[str, Ended]) -> None:
    ended = endings[command]
    assert ended.code == 0, ended.err
    (record,) = ended.records
    assert record["consistent"] and record["expected"] and record["missing"] == []
    assert 0.0 <= record["effect_after_s"] <= _EFFECT_WITHIN_S
    assert shows(record), ended.err
    assert record["why"] in " ".join(ended.err.split()) and "Traceback" not in ended.err


def test_a_run_keeps_its_records_and_its_packets(tmp_path: Path) -> None:
    ended = run("write-after-close", "--repeat", "2", "--gap", "0", "--pcap", "--json", results=tmp_path)
    assert ended.code == 0, ended.err
    (folder,) = tmp_path.iterdir()
    assert (folder / "records.jsonl").read_text() == ended.out
    assert [record["trial"] for record in ended.records] == [0, 1]
    assert pcapng.read(folder / "packets.pcapng").packets


@pytest.mark.parametrize(
    ("command", "line"),
    [
        ("close-server --linger 5", "--linger has no effect"),
        ("close-client --how kill --nonblocking", "--nonblocking has no effect"),
        ("leak-close --how half --fin-timeout 3", "--fin-timeout is for orphans"),
        ("one-way --guard prayer", "--guard: 'prayer' is unknown"),
        ("write-after-close --count 0", "--count: '0' is refused"),
        ("use-after-close --how open", "--how: 'open' is unknown"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(command: str, line: str, tmp_path: Path) -> None:
    ended = run(*command.split(), results=tmp_path / "results")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(line) and ended.err.count("\n") == 1
    assert not (tmp_path / "results").exists()
