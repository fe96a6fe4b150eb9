"""hosts.toml: which machines an experiment runs on, and how each is reached.

A table for each host: ``[client]``, ``[server]`` and, where one stands between them, ``[router]``. Every mistake is one
line (Refused) that names the file, the table and the key, and says what is allowed.
"""

import ipaddress
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec

from harness.errors import Refused

HostSide = Literal["client", "server", "router"]

_TABLES: tuple[HostSide, ...] = ("client", "server", "router")
_KEYS = ("host", "address", "device", "become", "power_off", "power_on")
_HOST = "[user@]name[:port], with an IPv6 address in brackets"


class RemoteHost(msgspec.Struct, frozen=True, kw_only=True):
    """One machine. ``name_typed``: the host as the user wrote it, for every message about it.

    ``user`` and ``port`` None: ssh_config's, or OpenSSH's defaults. Either ``addresses`` (at most one per IP version)
    or ``device`` says where the data flows; a router needs neither. ``become``: stands before a command to run it as
    root.
    """

    side: HostSide
    name_typed: str
    user: str | None = None
    name: str
    port: int | None = None
    addresses: tuple[str, ...] = ()
    device: str | None = None
    become: str = ""
    power_off: str | None = None
    power_on: str | None = None


class Hosts(msgspec.Struct, frozen=True, kw_only=True):
    """The machines of one file. ``ssh_config`` None: OpenSSH's own files."""

    client: RemoteHost
    server: RemoteHost
    router: RemoteHost | None = None
    ssh_config: Path | None = None

    @property
    def all(self) -> tuple[RemoteHost, ...]:
        return (self.client, self.server) if self.router is None else (self.client, self.server, self.router)


class _Place(NamedTuple):
    """Where in the file something stands, for the line about it."""

    file: Path
    table: str = ""

    def refuse(self, what: str) -> Refused:
        return Refused(f"{self.file}: [{self.table}]: {what}" if self.table else f"{self.file}: {what}")


def read_hosts(file: Path) -> Hosts:
    """Read and check a hosts file. Raises Refused."""
    place = _Place(file)
    try:
        top = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise place.refuse(f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise place.refuse("is not UTF-8 text") from None
    except tomllib.TOMLDecodeError as error:
        raise place.refuse(f"is no TOML: {error}") from None
    _only(top, ("ssh_config", *_TABLES), place)
    found = {side: _host(side, top[side], place) for side in _TABLES if side in top}
    for side in ("client", "server"):
        if side not in found:
            raise place.refuse(f"the table [{side}] is missing; [client] and [server] are needed, [router] is optional")
    _all_different(list(found.values()), place)
    return Hosts(
        client=found["client"],
        server=found["server"],
        router=found.get("router"),
        ssh_config=_ssh_config(top, place),
    )


def _ssh_config(top: Mapping[str, Any], place: _Place) -> Path | None:
    text = _text(top, "ssh_config", place)
    if text is None:
        return None
    path = place.file.parent / Path(text).expanduser()
    if not path.is_file():
        raise place.refuse(f"ssh_config: there is no file {path}; a path relative to this file is allowed")
    return path


def _host(side: HostSide, table: Any, file: _Place) -> RemoteHost:
    place = _Place(file.file, side)
    if not isinstance(table, dict):
        raise file.refuse(f'{side} must be a table: [{side}], and below it host = "…"')
    _only(table, _KEYS, place)
    typed = _text(table, "host", place)
    if typed is None:
        raise place.refuse(f"host is missing: {_HOST}")
    user, name, port = _name(typed, place)
    addresses = _addresses(table.get("address"), place)
    device = _text(table, "device", place)
    if device is not None and not re.fullmatch(r"[^\s/]{1,15}", device):
        raise place.refuse(f"device: {device!r} is no name of a device; eth1 is one")
    if addresses and device:
        raise place.refuse("address and device are both given; one of them says where the data flows")
    if not addresses and not device and side != "router":
        raise place.refuse('address or device is missing: address = "198.18.1.2", or device = "eth1"')
    return RemoteHost(
        side=side,
        name_typed=typed,
        user=user,
        name=name,
        port=port,
        addresses=addresses,
        device=device,
        become=_text(table, "become", place) or "",
        power_off=_text(table, "power_off", place),
        power_on=_text(table, "power_on", place),
    )


def _name(typed: str, place: _Place) -> tuple[str | None, str, int | None]:
    """Take ``[user@]name[:port]`` apart. A bare IPv6 address has colons, and no port."""
    user, at, rest = typed.rpartition("@")
    bracketed = re.fullmatch(r"\[([^\[\]]+)\](?::(.*))?", rest)
    if bracketed:
        name, port = bracketed[1], bracketed[2]
        if _ip_version(name) != 6:
            raise place.refuse(f"host: {typed!r}: only an IPv6 address stands in brackets")
    elif rest.count(":") == 1:
        name, _, port = rest.partition(":")
    else:
        name, port = rest, None
    sound = _ip_version(name) or re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", name)
    # A name that begins with a hyphen would be an option to whatever command it is handed to.
    if not sound or (at and not re.fullmatch(r"[^\s:\-][^\s:]*", user)):
        raise place.refuse(f"host: {typed!r} is refused; {_HOST} is allowed")
    if port is None:
        return user or None, name, None
    if not re.fullmatch(r"[0-9]{1,5}", port) or not 1 <= int(port) <= 65535:
        raise place.refuse(f"host: {typed!r}: the port {port!r} is refused; 1 to 65535 is allowed")
    return user or None, name, int(port)


def _addresses(value: Any, place: _Place) -> tuple[str, ...]:
    if value is None:
        return ()
    texts = value if isinstance(value, list) else [value]
    if not texts or not all(isinstance(text, str) for text in texts):
        raise place.refuse(
            f"address: {_shown(value)} is refused; an address or a list of addresses, in quotes, is allowed"
        )
    found: dict[int, str] = {}
    for text in texts:
        version = _ip_version(text)
        if version is None:
            raise place.refuse(f"address: {text!r} is neither IPv4 nor IPv6, without prefix or zone")
        address = ipaddress.ip_address(text)
        if address.is_unspecified or address.is_multicast:
            raise place.refuse(f"address: {text!r} is no address of one host")
        if version in found:
            raise place.refuse(f"address: {text!r} is the second of IPv{version}; one of each version is allowed")
        found[version] = str(address)
    return tuple(found.values())


def _ip_version(text: str) -> int | None:
    try:
        return None if "%" in text else ipaddress.ip_address(text).version
    except ValueError:
        return None


def _text(table: Mapping[str, Any], key: str, place: _Place) -> str | None:
    value = table.get(key)
    if value is None:
        return None
    # One line, because it becomes part of a command or of a message of one line.
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise place.refuse(f"{key}: {_shown(value)} is refused; one line of text in quotes is allowed")
    return value.strip()


def _only(table: Mapping[str, Any], allowed: tuple[str, ...], place: _Place) -> None:
    unknown = sorted(set(table) - set(allowed))
    if unknown:
        raise place.refuse(f"{unknown[0]!r} is unknown; allowed: {', '.join(allowed)}")


def _all_different(hosts: list[RemoteHost], place: _Place) -> None:
    for number, host in enumerate(hosts):
        for earlier in hosts[:number]:
            if (host.name.lower(), host.port) == (earlier.name.lower(), earlier.port):
                raise place.refuse(f"[{earlier.side}] and [{host.side}] are the same host, {host.name_typed}; name two")
            same = set(host.addresses) & set(earlier.addresses)
            if same:
                raise place.refuse(
                    f"[{earlier.side}] and [{host.side}] have the same address, {min(same)}; each needs its own"
                )


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
