"""The doctor: what of all that the program uses is there on this machine, tried for real, and what is lost without.

``capability``  one thing that may be missing, with what is lost and how to get it: the list.
``netlink``     a few netlink messages in raw bytes, because the doctor must speak where libraries cannot.
``inside``      what is tried in private namespaces, in a child that leaves nothing behind.
``outside``     what is tried in this process, or in a child with its real privileges.
"""

import functools
from collections.abc import Iterable

from harness.doctor import inside, outside
from harness.doctor.capability import ALL, Capability, Finding
from harness.doctor.child import findings_of

__all__ = ["Capability", "examine", "missing"]


def examine() -> list[Capability]:
    """Try everything and return what was found, in a fixed order. Takes some 0.1 s; changes nothing; never raises.

    ``present`` None: it could not be tried here, and ``how`` says why.
    """
    with findings_of(inside.findings) as tried_inside, findings_of(outside.privileged) as tried_privileged:
        found = outside.findings() | tried_privileged() | tried_inside()
    untried = Finding(None, "could not be tried")
    return [capability.with_finding(found.get(capability.name, untried)) for capability in ALL]


def missing(names: Iterable[str]) -> list[Capability]:
    """Return those of the named capabilities that are not there, from one examination per process.

    Raises ValueError for a name that is none, so that a misspelt condition does not pass for met.
    """
    by_name = {capability.name: capability for capability in _examined()}
    unknown = [name for name in names if name not in by_name]
    if unknown:
        raise ValueError(f"no such capability: {', '.join(unknown)}; there are {', '.join(by_name)}")
    return [by_name[name] for name in names if not by_name[name].present]


@functools.cache
def _examined() -> tuple[Capability, ...]:
    return tuple(examine())
