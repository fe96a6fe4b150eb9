"""The product of value lists: every combination that makes sense, as trials; what was left out is counted and said.

A combination makes no sense where a single experiment would refuse it: a traffic that the fault does not take, an
interval without keepalive. An option that a fault does not have at all is no list for it: ``--down 2,20`` multiplies
``flap-link`` and leaves ``crash-client`` alone. ``unset`` in a list is the option not given.
"""

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from harness.errors import Refused
from harness.faults import all_faults
from harness.faults.base import Fault
from harness.spec.cell import cell_of
from harness.spec.options import SETTINGS, TRIAL, Option
from harness.spec.trial import TRAFFIC, Trial
from harness.sweep.asked import general, trial_of

UNSET = "unset"
FAULT = "fault"
MOST_TRIALS = 100_000
_GENERAL = {option.name: option for option in (*SETTINGS, *TRIAL)}


def options() -> dict[str, Option]:
    """Return every option that can have a list of values, by name: the settings', the trial's, and the faults' own."""
    own = {option.name: option for fault in all_faults().values() for option in fault.options}
    return {**_GENERAL, **own}


class Rule(msgspec.Struct, frozen=True):
    """An exclusion: a trial is excluded whose values are among ``values``, for every name there."""

    values: Mapping[str, tuple[Any, ...]]

    def excludes(self, trial: Trial) -> bool:
        return all(_value(trial, name) in allowed for name, allowed in self.values.items())


class Product(msgspec.Struct, frozen=True, kw_only=True):
    """``values``: for each option's name the texts to be tried, as they would be typed."""

    faults: tuple[str, ...]
    values: Mapping[str, tuple[str, ...]] = {}
    exclude: tuple[Rule, ...] = ()
    repeat: int = 1


class Made(msgspec.Struct, kw_only=True):
    """``trials`` are numbered from 0. ``left_out``: how many combinations, by the reason; ``excluded`` by a rule;
    ``double``: made before by the same lists or by others.
    """

    trials: list[Trial] = []
    left_out: Counter[str] = msgspec.field(default_factory=Counter)
    excluded: int = 0
    double: int = 0


def make(products: Sequence[Product]) -> Made:
    """Return the trials of all products. Raises Refused where a value is refused, or nothing is left."""
    made = Made()
    seen: set[str] = set()
    for product in products:
        for trial in _cells(product, made):
            if any(rule.excludes(trial) for rule in product.exclude):
                made.excluded += 1
                continue
            text = cell_of(trial, all_faults()[trial.fault].options)
            if text in seen:
                made.double += 1
                continue
            seen.add(text)
            if len(made.trials) + product.repeat > MOST_TRIALS:
                raise Refused(f"the sweep has more than {MOST_TRIALS} trials; shorten its lists, or make it several")
            for _ in range(product.repeat):
                made.trials.append(msgspec.structs.replace(trial, number=len(made.trials)))
    if not made.trials:
        raise Refused(f"nothing is left to run: {_why_nothing(made)}")
    return made


def rule(table: Mapping[str, Sequence[str]]) -> Rule:
    """Return the exclusion rule of typed values. Raises Refused for a name or a value that cannot be."""
    known = options()
    values: dict[str, tuple[Any, ...]] = {}
    for name, texts in table.items():
        if name == FAULT:
            values[name] = tuple(_fault(text).name for text in texts)
        elif name not in known:
            raise Refused(f"--{name}: no such option; allowed: {', '.join((FAULT, *known))}")
        else:
            values[name] = tuple(None if text == UNSET else known[name].parse(text) for text in texts)
    return Rule(values)


def _value(trial: Trial, name: str) -> Any:
    """Return a trial's value of an option; ``_Nothing`` where it has no such option: that equals no value."""
    if name == FAULT:
        return trial.fault
    option = _GENERAL.get(name)
    if option is None:
        return trial.options.get(name, _Nothing)
    return getattr(trial.asked if option in SETTINGS else trial, option.field)


class _Nothing:
    pass


def check(product: Product) -> None:
    """Refuse, before any product is made, a name or a value that no combination could have. Raises Refused."""
    faults = [_fault(name) for name in product.faults]
    for name, texts in product.values.items():
        if name not in options():
            raise Refused(f"--{name}: no such option; allowed: {', '.join((FAULT, *options()))}")
        having = {option for fault in faults for option in _options_of(fault) if option.name == name}
        if not having:
            others = ", ".join(f.name for f in all_faults().values() if any(o.name == name for o in f.options))
            raise Refused(f"--{name}: none of {', '.join(product.faults)} has this option; {others} has")
        for option in having:
            for text in texts:
                if text != UNSET:
                    option.parse(text)
                elif option.default is not None:
                    raise Refused(f"--{name}: {UNSET!r} is refused; this option always has a value")


def _options_of(fault: type[Fault]) -> tuple[Option, ...]:
    return (*SETTINGS, *TRIAL, *fault.options)


def _fault(name: str) -> type[Fault]:
    fault = all_faults().get(name)
    if fault is None:
        raise Refused(f"--{FAULT}: {name!r} is unknown; allowed: {', '.join(all_faults())}")
    return fault


def _cells(product: Product, made: Made) -> Iterator[Trial]:
    check(product)
    for name in product.faults:
        fault = _fault(name)
        axes = _axes(fault, product.values, made)
        for texts in itertools.product(*axes.values()):
            typed = {
                name.replace("-", "_"): None if text == UNSET else text for name, text in zip(axes, texts, strict=True)
            }
            try:
                trial = trial_of(fault, typed)
            except Refused as refusal:
                made.left_out[str(refusal)] += 1
                continue
            yield trial


def _axes(fault: type[Fault], values: Mapping[str, tuple[str, ...]], made: Made) -> dict[str, tuple[str, ...]]:
    """Return the lists that multiply this fault. Where it fixes a value itself, only that one is left of a list."""
    mine = {option.name for option in (*SETTINGS, *general(fault), *fault.options)}
    axes = {name: texts for name, texts in values.items() if name in mine}
    combinations = 1
    for texts in axes.values():
        combinations *= len(texts)
    fixed = {"survivor": fault.survivor, "traffic": fault.traffics[0] if len(fault.traffics) == 1 else None}
    for name, only in fixed.items():
        if name not in values or name in mine or only is None or (name == "traffic" and only not in TRAFFIC):
            continue
        others = [text for text in values[name] if text not in (only, UNSET)]
        if others:
            made.left_out[f"--{name}: {fault.name} takes {only}; not {', '.join(others)}"] += combinations * len(others)
        if len(others) == len(values[name]):
            return {name: ()}
    return axes


def _why_nothing(made: Made) -> str:
    reasons = [f"{count} x {reason}" for reason, count in made.left_out.most_common(2)]
    if made.excluded:
        reasons.append(f"{made.excluded} excluded by rules")
    return "; ".join(reasons) or "no fault is named"
