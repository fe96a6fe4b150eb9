"""A host that goes in the middle of a run ends the run with one line, whatever its trials are waiting for."""

import asyncio

import pytest

from harness.engine import Engine, Job, Rules
from harness.errors import Unavailable
from harness.events import Teller
from harness.labs.fake import FakeLab
from harness.spec.settings import Asked
from harness.spec.trial import Trial


class LabThatLosesAHost(FakeLab):
    """Nothing is ever detected in it, and after a moment one of its hosts is not heard any more."""

    async def gone(self):
        await asyncio.sleep(0.02)
        return "alice@client: it is not heard any more"


class OnePlace:
    labs_at_once = 1

    def __init__(self, lab):
        self.lab = lab

    def enter(self):
        """Nothing needs to be entered."""

    def apart(self, trial):
        return None

    async def build(self, trials, keep):
        return self.lab


def run(lab, again=0):
    async def built(lab):
        """Nobody is told of the lab."""

    trial = Trial(fault="crash-client", asked=Asked(idle_s=60), survivor="server", quiet_s=0.005)
    rules = Rules(at_once=1, again=again)
    engine = Engine(OnePlace(lab), rules, Teller(), lambda record: None, built)
    asyncio.run(asyncio.wait_for(engine.run([Job(trial)]), 5))


@pytest.mark.parametrize("again", [0, 2])
def test_the_run_ends_with_the_line_that_names_the_host_and_the_lab_is_closed(again):
    lab = LabThatLosesAHost()
    with pytest.raises(Unavailable, match=r"^alice@client: it is not heard any more$"):
        run(lab, again)
    assert lab.closed
