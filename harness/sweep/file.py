"""A sweep as a TOML file: value lists under the options' names, one product or several, and what not to run.

    name = "keepalive"                 # of the run; the file's name otherwise
    seed = 7                           # of the order
    repeat = 3                         # trials per cell
    keepalive = [5, 10, 30]            # for every [[sweep]] below that does not say otherwise
    exclude = [{ keepalive = 30, traffic = "write" }]

    [[sweep]]
    fault = ["crash-client", "cut-link"]
    interval = [1, "5s"]
    traffic = ["idle", "write"]

Without any ``[[sweep]]`` the file itself is the one product. A mistyped key or value is refused with one line that
names the file, the key and what is allowed.
"""

import tomllib
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec

from harness.errors import Refused
from harness.spec.parse import whole
from harness.sweep.matrix import FAULT, Product, Rule, check, options, rule

_ABOUT = ("name", "about")
_OWN = (*_ABOUT, "seed", "repeat", "exclude", "sweep")
_IN_BLOCK = (*_ABOUT, "repeat", "exclude")
_WHOLE = {"seed": (0, 2**63 - 1), "repeat": (1, 100_000)}


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What a file or a command line asks for. ``source``: the text it was asked in."""

    name: str
    products: tuple[Product, ...]
    seed: int = 0
    source: str = ""


def shipped() -> list[str]:
    """Return the names of the sweeps that come with the program."""
    folder = resources.files("harness.sweep") / "files"
    if not folder.is_dir():
        return []
    return sorted(Path(entry.name).stem for entry in folder.iterdir() if entry.name.endswith(".toml"))


def load(named: str, repeat: int | None = None, seed: int | None = None) -> Asked:
    """Return what a file asks, or a shipped sweep of that name; ``repeat`` and ``seed`` overrule it. Raises Refused."""
    text, name = _read(named)
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Refused(f"{named}: this is not TOML: {error}") from None
    return parse(table, text, named, name, repeat, seed)


def _read(named: str) -> tuple[str, str]:
    path = Path(named)
    if named in shipped() and not path.is_file():
        return (resources.files("harness.sweep") / "files" / f"{named}.toml").read_text(), named
    try:
        return path.read_text(), path.stem
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not text"
        known = ", ".join(shipped())
        raise Refused(
            f"{named}: cannot be read ({why}); name a TOML file{f', or one of {known}' if known else ''}"
        ) from None


def parse(
    table: Mapping[str, Any], text: str, named: str, name: str, repeat: int | None = None, seed: int | None = None
) -> Asked:
    """Return what the TOML ``table`` asks. Raises Refused with one line that begins with ``named``."""
    at = f"{named}: "
    _known(table, (*_OWN, FAULT, *options()), at)
    blocks = table.get("sweep", [{}])
    if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
        raise Refused(f"{at}sweep: tables are allowed: [[sweep]]")
    shared = {key: value for key, value in table.items() if key not in _OWN}
    products = []
    for number, block in enumerate(blocks, 1):
        where = f"{at}[[sweep]] {number}: " if "sweep" in table else at
        _known(block, (*_IN_BLOCK, FAULT, *options()), where)
        given = {**shared, **{key: value for key, value in block.items() if key not in _IN_BLOCK}}
        values = {key: _texts(value, f"{where}{key}") for key, value in given.items()}
        if FAULT not in values:
            raise Refused(f'{where}{FAULT} is missing; name one or more: fault = ["crash-client", "cut-link"]')
        rules = (*_rules(table.get("exclude", []), at), *_rules(block.get("exclude", []), where))
        times = repeat or _whole("repeat", block.get("repeat", table.get("repeat", 1)), where)
        product = Product(faults=values.pop(FAULT), values=values, exclude=rules, repeat=times)
        products.append(_tried(product, where))
    for key in _ABOUT:
        if not isinstance(table.get(key, ""), str):
            raise Refused(f"{at}{key}: a text is allowed")
    chosen = _whole("seed", table.get("seed", 0), at) if seed is None else seed
    return Asked(name=_name(table.get("name", name), at), products=tuple(products), seed=chosen, source=text)


def _known(table: Mapping[str, Any], allowed: Sequence[str], where: str) -> None:
    for key in table:
        if key not in allowed:
            raise Refused(f"{where}{key}: no such key; allowed: {', '.join(allowed)}")


def _tried(product: Product, where: str) -> Product:
    """Have every value parsed, so that a refusal names the file."""
    try:
        check(product)
    except Refused as refusal:
        raise Refused(f"{where}{str(refusal).removeprefix('--')}") from None
    return product


def _rules(tables: Any, where: str) -> list[Rule]:
    if not isinstance(tables, list) or not all(isinstance(each, dict) and each for each in tables):
        raise Refused(
            f'{where}exclude: tables of values are allowed: exclude = [{{ keepalive = 30, traffic = "write" }}]'
        )
    rules = []
    for table in tables:
        try:
            rules.append(rule({key: _texts(value, f"{where}exclude: {key}") for key, value in table.items()}))
        except Refused as refusal:
            text = str(refusal)
            raise Refused(text if text.startswith(where) else f"{where}exclude: {text.removeprefix('--')}") from None
    return rules


def _texts(value: Any, what: str) -> tuple[str, ...]:
    """Return a value, or a list of them, as they would be typed."""
    values = value if isinstance(value, list) else [value]
    if not values or any(isinstance(each, bool) or not isinstance(each, int | float | str) for each in values):
        raise Refused(f"{what}: a number, a text, or a list of them is allowed")
    return tuple(dict.fromkeys(str(each) for each in values))


def _whole(key: str, value: Any, where: str) -> int:
    low, high = _WHOLE[key]
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else repr(value)
    try:
        return whole(key, low, high)(text)
    except Refused as refusal:
        raise Refused(f"{where}{refusal}") from None


def _name(name: Any, where: str) -> str:
    """The run's folder is named after it."""
    if not isinstance(name, str) or not name or not all(c.isalnum() or c in "-_." for c in name) or name[0] == ".":
        raise Refused(f"{where}name: {name!r} is refused; letters, digits, '-', '_' and '.' are allowed")
    return name
