"""What an experiment would show, without running it: no socket, no lab, no privilege.

The instants that a trial observes are taken to be typical: the connection was set up just before its silence began.
Instants count from the fault, which is at 0.
"""

from typing import Any

from harness.faults import all_faults
from harness.labs.protocols import Mark
from harness.predict.mapping import before_expiry_s
from harness.predict.situation import Kernel, Situation
from harness.spec.settings import Settings
from harness.spec.trial import Trial


def outlook(trial: Trial, kernel: Kernel) -> Situation:
    """Return the situation that ``trial`` would be in when its fault strikes."""
    fault = all_faults()[trial.fault](**trial.options)
    talks = trial.traffic in ("stream", "listen", "blocked")
    quiet = 0.0 if talks else trial.quiet_s
    mark = Mark(before=0, after=0)
    facts: dict[str, Any] = fault.facts(mark)
    asked = trial.asked
    armed = -quiet
    if "mapping_expires_at" in facts:
        lasts = float(fault.values["nat-timeout"])
        waits, held = before_expiry_s(asked.over(Settings()), lasts)
        # A mapping that is held was renewed just now; else the last packet to do so may have been a probe's answer.
        quiet, facts["mapping_expires_at"] = (0.0, lasts) if held else (lasts, 0.0)
        armed = -waits
    if asked.heartbeat_s is not None:
        facts["ping_at"] = -(quiet % asked.heartbeat_s) + asked.heartbeat_s
    if trial.traffic in ("write", "stream"):
        facts["unacked_at"] = trial.write_after_s
    if trial.traffic == "stream":
        facts["segments"] = 2
    if trial.traffic == "blocked" or fault.closes_window:
        facts["window_closed_at"] = facts["write_blocked_at"] = 0.0
    return Situation(
        kernel=kernel,
        settings=asked.over(Settings()),
        traffic=trial.traffic,
        effect=fault.effect(trial.traffic, trial.survivor),
        ipv=trial.ipv,
        fault_at=0.0,
        heard_at=-quiet,
        armed_at=armed,
        read_at=-quiet,
        **facts,
    )
