"""Where trials run: a place builds a lab for trials that can share one. The namespaces of this machine are one."""

from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Protocol

from harness.errors import Unavailable
from harness.faults import all_faults
from harness.labs.ground import go_private
from harness.labs.local import NetnsLab
from harness.labs.protocols import Ability, Lab
from harness.observe.kernel import this_kernel
from harness.spec.trial import Trial

_WITHOUT: dict[Ability, str] = {
    "cut": "packets cannot be cut off",
    "lossy": "a share of the packets cannot be dropped",
    "reject": "nothing between the hosts can answer with ICMP",
    "mtu": "the path's MTU cannot be changed",
    "nat": "no NAT is between the hosts",
    "places": "faults on the survivor's own host, a link or the next hop are not put there",
    "short-orphans": "a dead process's kernel keeps its connection for minutes (tcp_orphan_retries)",
    "power": "its power cannot be cut: no power_off command is given",
}


class Place(Protocol):
    """Enter it before the program starts any thread; then build labs.

    ``labs_at_once``: how many it can have at the same time.
    """

    @property
    def labs_at_once(self) -> int: ...

    def enter(self) -> None:
        """Make this process ready. Raises Unavailable."""
        ...

    def apart(self, trial: Trial) -> Hashable:
        """Return what trials must have in common here to share a lab."""
        ...

    async def build(self, trials: Sequence[Trial], keep: Path | None) -> Lab:
        """Build a lab for these trials; their packets are kept in the file ``keep``. Raises Unavailable."""
        ...


class Namespaces:
    """This machine's own namespaces."""

    # Each has two agents, and threads of its own: more make each other late.
    labs_at_once = 8

    def enter(self) -> None:
        # Before the namespaces: /proc/timer_list is for the machine's own root only.
        self._kernel = this_kernel()
        go_private()

    def apart(self, trial: Trial) -> Hashable:
        return None

    async def build(self, trials: Sequence[Trial], keep: Path | None) -> Lab:
        return await able(await NetnsLab.build(self._kernel, keep), trials)


async def able(lab: Lab, trials: Sequence[Trial]) -> Lab:
    """Return ``lab``, if it can do all that the trials need; else it is closed. Raises Unavailable."""
    for trial in trials:
        for missing in sorted(all_faults()[trial.fault](**trial.options).needs() - lab.offers):
            await lab.close()
            raise Unavailable(f"{trial.fault} cannot be had here: {_WITHOUT[missing]}")
    return lab
