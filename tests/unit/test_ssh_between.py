"""Which devices of a router are the client's side and the server's."""

from types import SimpleNamespace
from typing import Any

import pytest

from harness.errors import Unavailable
from harness.labs.ssh.between import devices_between, nearest


def _address(device: str, text: str) -> dict[str, Any]:
    address, _, prefix = text.partition("/")
    return {"device": device, "ipv": 6 if ":" in address else 4, "address": address, "prefix": int(prefix)}


def _router(*addresses: tuple[str, str]) -> Any:
    return SimpleNamespace(
        asked=SimpleNamespace(name_typed="gate"), facts={"addresses": [_address(*each) for each in addresses]}
    )


def _host(name: str, **addresses: str) -> Any:
    known = {int(ipv[1]): address for ipv, address in addresses.items()}
    return SimpleNamespace(name=name, address=known.__getitem__)


_CLIENT = _host("client", v4="198.18.1.2", v6="2001:db8:1::2")
_SERVER = _host("server", v4="198.18.2.3", v6="2001:db8:2::3")
_WHOLE = (
    ("eth0", "198.18.0.4/24"),
    ("eth1", "198.18.1.1/24"),
    ("eth2", "198.18.2.1/24"),
    ("eth1", "2001:db8:1::1/64"),
    ("eth2", "2001:db8:2::1/64"),
)


@pytest.mark.parametrize("versions", [[4], [6], [4, 6]])
def test_each_side_is_where_its_network_is(versions: list[int]) -> None:
    found = devices_between(_router(*_WHOLE), _CLIENT, _SERVER, versions)
    assert found == {"r-client": "eth1", "r-server": "eth2"}


def test_the_smallest_network_counts() -> None:
    addresses = [_address("wan", "198.18.7.1/15"), _address("lan", "198.18.1.1/24"), _address("lo", "127.0.0.1/8")]
    assert nearest(addresses, "198.18.1.2") == "lan"
    assert nearest(addresses, "198.19.1.2") == "wan"
    assert nearest(addresses, "2001:db8::1") is None


@pytest.mark.parametrize(
    ("addresses", "versions", "said"),
    [
        (_WHOLE[:2], [4], "none of its networks has the server's data address 198.18.2.3; it has 198.18.0.4/24, "),
        ((), [4], "data address 198.18.1.2; it has no address"),
        (_WHOLE[:3], [4, 6], "none of its networks has the client's data address 2001:db8:1::2"),
        ([("br0", "198.18.1.1/16")], [4], "client and server are both on its br0"),
        ([*_WHOLE[:3], ("eth0", "2001:db8:1::1/64"), _WHOLE[4]], [4, 6], "are on several of its devices (eth0, eth1)"),
    ],
)
def test_what_is_not_between_them_is_told_in_one_line(addresses: Any, versions: list[int], said: str) -> None:
    with pytest.raises(Unavailable) as told:
        devices_between(_router(*addresses), _CLIENT, _SERVER, versions)
    line = str(told.value)
    assert line.startswith("gate: ")
    assert said in line
    assert "\n" not in line
