"""One combination of typed values as a trial: the same for a single experiment and for each cell of a sweep."""

from collections.abc import Mapping
from typing import Any

from harness.errors import Refused
from harness.faults.base import Fault
from harness.spec.options import TRIAL, Option, asked, parse
from harness.spec.trial import Trial


def general(fault: type[Fault]) -> tuple[Option, ...]:
    """Return the options of a trial that make sense with this fault."""
    without = set()
    if fault.survivor is not None:
        without.add("survivor")
    if len(fault.traffics) == 1:
        without.add("traffic")
    if fault.traffics == ("connect",):
        without.add("quiet")
    if "write" not in fault.traffics:
        without.add("write-after")
    return tuple(option for option in TRIAL if option.name not in without)


def trial_of(fault: type[Fault], typed: Mapping[str, Any], number: int = 0) -> Trial:
    """Return the trial that was typed, by the options' parameter names. Raises Refused."""
    values = parse(TRIAL, typed)
    values["survivor"] = fault.survivor or values["survivor"] or "client"
    values["traffic"] = values["traffic"] or fault.traffics[0]
    if values["traffic"] not in fault.traffics:
        raise Refused(f"--traffic: {fault.name} takes {', '.join(fault.traffics)}; not {values['traffic']}")
    if values["write_after_s"] and values["traffic"] != "write":
        raise Refused("--write-after has no effect without --traffic write; give that as well, or leave it out")
    options = parse(fault.options, typed)
    fault(**options)  # refuses what does not go together
    return Trial(fault=fault.name, options=options, asked=asked(typed), number=number, **values)
