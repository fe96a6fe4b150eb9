"""The machines of a hosts file as a place where trials run."""

from collections.abc import Hashable, Sequence
from pathlib import Path

from harness.errors import Unavailable
from harness.labs.agent import EndpointGone
from harness.labs.place import able
from harness.labs.protocols import Lab
from harness.labs.ssh.lab import SshLab
from harness.spec.hosts import Hosts
from harness.spec.trial import Trial


class Machines:
    """Machines reached over SSH. Nothing of this machine is entered or changed."""

    # The same machines would be in each.
    labs_at_once = 1

    def __init__(self, hosts: Hosts) -> None:
        self._hosts = hosts

    def enter(self) -> None:
        """Nothing needs to be entered."""

    def apart(self, trial: Trial) -> Hashable:
        # The lab's clock is the survivor's.
        return trial.survivor

    async def build(self, trials: Sequence[Trial], keep: Path | None) -> Lab:
        (survivor,) = {trial.survivor for trial in trials}
        try:
            lab = await SshLab.build(self._hosts, survivor, [trial.ipv for trial in trials], keep)
        except EndpointGone as error:  # a host that went while it was being made ready
            raise Unavailable(str(error)) from None
        return await able(lab, trials)
