"""Test hosts. Where there can be none the tests are skipped, each with the reason; CI has what it takes."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from netns.enter import probe
from tests.ssh import guests as guest_hosts
from tests.ssh import keys, namespaces
from tests.ssh.guests import Guests
from tests.ssh.keys import Keys
from tests.ssh.namespaces import Pair
from tests.ssh.plan import Plan

MakePair = Callable[..., Pair]


@pytest.fixture(scope="session")
def run_keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    """The keys of this run."""
    if reason := namespaces.missing() or probe():
        pytest.skip(reason)
    return keys.make(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="module")
def pair(run_keys: Keys, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Client and server in namespaces, root, with a data network of their own."""
    with Pair(Plan(str(tmp_path_factory.mktemp("pair"))), run_keys) as made:
        yield made


@pytest.fixture
def make_pair(run_keys: Keys, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakePair]:
    """Make a pair of one's own: ``make_pair(router=True, user="alice")``. See tests.ssh.plan.Plan."""
    made: list[Pair] = []

    def make(**knobs: Any) -> Pair:
        made.append(Pair(Plan(str(tmp_path_factory.mktemp("pair")), **knobs), run_keys))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture(scope="module")
def guests(run_keys: Keys, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guests]:
    """Client and server with kernels of their own."""
    if reason := guest_hosts.missing():
        pytest.skip(reason)
    with Guests(Plan(str(tmp_path_factory.mktemp("guests")), kind="guest"), run_keys) as made:
        yield made
