"""What cannot be had on hosts over SSH: one line, the right exit code, and nothing left, neither there nor here."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.lab.program import Ended, Program, eventually
from tests.ssh.conftest import MakePair
from tests.ssh.namespaces import Pair
from tests.ssh.plan import REFUSE

_WITHIN_S = 20
_CRASH = ("crash-client", "--keepalive", "1")


def _client(**values: str) -> Callable[[Pair], str]:
    """hosts.toml with other values in the client's table; an empty value takes the key away."""

    def text(pair: Pair) -> str:
        head, client, server = pair.hosts_file.read_text().split("\n[")
        kept = [line for line in client.splitlines()[1:] if line and line.split(" = ")[0] not in values]
        added = [f'{key} = "{value}"' for key, value in values.items() if value]
        return f"{head}\n[client]\n" + "\n".join([*kept, *added]) + f"\n\n[{server}"

    return text


def _known(change: Callable[[Pair, str], str]) -> Callable[[Pair], str]:
    """hosts.toml with an ssh_config of its own, whose known_hosts says something else."""

    def text(pair: Pair) -> str:
        name = f"other{len(list(pair.folder.glob('other*')))}"
        (pair.folder / f"{name}_known").write_text(change(pair, pair.known_hosts.read_text()))
        config = pair.ssh_config.read_text().replace(str(pair.known_hosts), str(pair.folder / f"{name}_known"))
        (pair.folder / name).write_text(config)
        return pair.hosts_file.read_text().replace('"ssh_config"', f'"{name}"')

    return text


# Name: the file of hosts, the command, the exit code, and what its one line begins with and says.
_CASES: dict[str, tuple[Callable[[Pair], str], tuple[str, ...], int, str, str]] = {
    "unknown host key": (
        _known(lambda pair, known: ""),
        _CRASH,
        4,
        "",
        "its host key is not known: ssh-ed25519 SHA256:",
    ),
    "changed host key": (
        _known(lambda pair, known: known.replace(pair.keys.public("client"), pair.keys.public("stranger"))),
        *(_CRASH, 4, "client: ", "ITS HOST KEY HAS CHANGED"),
    ),
    "wrong user": (_client(host="mallory@client"), _CRASH, 4, "mallory@client: ", "permission denied for mallory"),
    "no Python": (_client(become="env PATH=/nowhere"), _CRASH, 4, "client: ", "it has no python3 in its PATH"),
    "no privilege": (_client(host="alice@client"), _CRASH, 4, "alice@client: ", "the agent has no CAP_NET_ADMIN"),
    "become refused": (
        _client(host="alice@client", become=REFUSE),
        *(_CRASH, 4, "alice@client: ", "a password is required"),
    ),
    "nothing listens": (_client(host="client:2223"), _CRASH, 4, "client:2223: ", "connection refused"),
    "another's address": (
        _client(address="198.18.1.9"),
        *(_CRASH, 4, "client: ", "198.18.1.9 is not one of its addresses; it has "),
    ),
    "no such device": (
        _client(address="", device="eth7"),
        *(_CRASH, 4, "client: ", "the device eth7 is not there or has no address; with one: eth0, eth1"),
    ),
    "only one IP version": (
        _client(address="198.18.1.2"),
        *((*_CRASH, "--ipv", "6"), 4, "client ", "has no IPv6 data address"),
    ),
    "no MTU": (_client(), ("shrink-mtu", "--user-timeout", "1"), 4, "shrink-mtu cannot be had here: ", "MTU"),
    "no NAT": (_client(), ("expire-nat", "--keepalive", "1"), 4, "expire-nat cannot be had here: ", "no NAT"),
    "no ICMP": (_client(), ("reject-packets", "--keepalive", "1"), 4, "reject-packets cannot be had here: ", "ICMP"),
    "no place": (
        _client(),
        *(("cut-link", "--where", "own-link", "--keepalive", "1"), 4, "cut-link cannot be had here: ", "own host"),
    ),
    "no power switch": (
        _client(power_off=""),
        *(("power-off-client", "--keepalive", "1"), 4, "power-off-client cannot be had here: ", "power_off"),
    ),
    "a mistyped key": (_client(power_of="true"), _CRASH, 2, "", "power_of"),
    "the command fails": (
        _client(power_off="echo no such machine >&2; exit 7"),
        *(("power-off-client", "--keepalive", "1"), 4, "client: power_off: ", "failed with code 7: no such machine"),
    ),
}
_STARTED = {"the command fails"}


@pytest.fixture(scope="module")
def refused(pair: Pair, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, tuple[Ended, Path]]]:
    """Every case, a few at a time against the same hosts."""
    names, ended = list(_CASES), {}
    for some in (names[start : start + 6] for start in range(0, len(names), 6)):
        with ExitStack() as running:
            programs = {}
            for name in some:
                file = pair.folder / f"{name.replace(' ', '-')}.toml"
                file.write_text(_CASES[name][0](pair))
                words = (*_CASES[name][1], "--hosts", str(file))
                results = tmp_path_factory.mktemp("refused") / "results"
                programs[name] = running.enter_context(Program(*words, results=results, through=pair.through)), results
            for name, (program, results) in programs.items():
                ended[name] = program.wait(_WITHIN_S), results
    yield ended


@pytest.mark.parametrize("name", _CASES)
def test_it_is_one_clear_line(refused: dict[str, tuple[Ended, Path]], name: str) -> None:
    _, _, code, start, words = _CASES[name]
    ended, results = refused[name]
    assert ended.code == code and ended.out == "", ended.err
    line = ended.err.splitlines()[-1]
    assert line.startswith(start) and words in line and "Traceback" not in ended.err
    if name not in _STARTED:
        assert len(ended.err.splitlines()) == 1
        assert not results.exists() or not list(results.glob("2*"))


def test_nothing_is_left_on_the_hosts(refused: dict[str, tuple[Ended, Path]], pair: Pair) -> None:
    for name in pair.hosts:
        assert pair.becomes_alone(name)
        assert (pair.tables(name), pair.files(name)) == ([], [])


@pytest.mark.slow
def test_hosts_that_die_and_hosts_that_do_not_reach_each_other(make_pair: MakePair, tmp_path: Path) -> None:
    """All at the same time, each with hosts of its own: what is lost takes some seconds to be noticed."""
    long = ("cut-link", "--keepalive", "60")
    with ExitStack() as running:

        def start(name: str, pair: Pair, *words: str) -> Program:
            command = (*words, "--hosts", str(pair.hosts_file))
            return running.enter_context(Program(*command, results=tmp_path / name, through=pair.through))

        survivor, peer, reached, apart = make_pair(), make_pair(), make_pair(prelude="sleep 5"), make_pair()
        apart.cut("server", "data")
        programs = [
            start("survivor", survivor, *long),
            start("peer", peer, *long),
            start("reached", reached, *_CRASH),
            start("apart", apart, *_CRASH),
        ]
        for program in programs[:2]:
            assert eventually(lambda program=program: program.told("watching"), 10)
        survivor.power_off("client")
        peer.power_off("server")
        assert eventually(lambda: any("sleep" in each for each in reached.processes("server").values()), 10)
        reached.power_off("server")
        ended = [program.wait(12) for program in programs]
    assert [each.code for each in ended] == [4, 4, 4, 4], ended
    said = [each.err.splitlines()[-1] for each in ended]
    assert said[0].startswith("client: it is not heard any more")
    assert said[1].startswith("server: it is not heard any more")
    assert said[2].startswith("server: ")
    assert said[3].startswith("client cannot reach server at 198.18.1.3 over TCP (EHOSTUNREACH); is a firewall")
    assert all("Traceback" not in each.err for each in ended)
    for each in ended[2:]:
        assert len(each.err.splitlines()) == 1
    for pair, name in (
        (survivor, "server"),
        (peer, "client"),
        (reached, "client"),
        (apart, "client"),
        (apart, "server"),
    ):
        assert pair.becomes_alone(name, 10) and (pair.tables(name), pair.files(name)) == ([], [])
