"""A run in one line: how many cells and trials, what became of them, and whether it was as predicted."""

from collections import Counter
from pathlib import Path

import msgspec

from harness.store.cells import cell_text, standing
from harness.store.find import started, what
from harness.store.reading import Content


class Summary(msgspec.Struct, frozen=True):
    """``started``: UTC, as ISO 8601 has it. ``what``: as the run's name says; ``experiments``: every one in it.

    ``trials`` count; ``flagged`` do not (each attempt came too late). ``detected`` to ``agree`` are numbers of trials
    that count; ``unproved``: those without proof. ``others``: records of commands that have a shape of their own.
    ``unreadable``: lines that are no record, as a kill leaves one.
    """

    name: str
    started: str
    what: str
    experiments: str
    cells: int
    trials: int
    flagged: int
    detected: int
    missed: int
    mistaken: int
    survived: int
    unknown: int
    agree: int
    disagree: int
    unproved: int
    others: int
    unreadable: int


_KNOWN = ("detected", "missed", "mistaken", "survived")


def summarize(folder: Path, content: Content) -> Summary:
    """Return the line of a run from what its records.jsonl holds."""
    stand = standing(content.records)
    counted = [each for each in stand if each.flagged is None]
    verdicts = Counter(each.detection.verdict for each in counted)
    agree = sum(each.agrees for each in counted)
    names = [each.experiment for each in content.records] + [str(each.get("experiment", "")) for each in content.others]
    return Summary(
        name=folder.name,
        started=started(folder).strftime("%Y-%m-%dT%H:%M:%SZ"),
        what=what(folder),
        experiments=" ".join(dict.fromkeys(name for name in names if name)),
        cells=len({cell_text(each) for each in stand}),
        trials=len(counted),
        flagged=len(stand) - len(counted),
        detected=verdicts["detected"],
        missed=verdicts["missed"],
        mistaken=verdicts["mistaken"],
        survived=verdicts["survived"],
        # A verdict that only a newer version knows is unknown to this one.
        unknown=sum(count for verdict, count in verdicts.items() if verdict not in _KNOWN),
        agree=agree,
        disagree=len(counted) - agree,
        unproved=sum(not each.proof.holds for each in counted),
        others=len(content.others),
        unreadable=content.unreadable,
    )
