"""The run as GitHub-flavoured Markdown, for a job's summary."""

import re
from collections.abc import Iterator

from harness.report.facts import Facts
from harness.report.plots.svg import clean
from harness.report.sums import distance, is_good, is_odd, many, milliseconds, predicted, sentence, sign, verdict
from harness.report.sums import what_is_odd as odd_word
from harness.store.cells import Cell

# A job's summary holds 1 MiB, and nobody reads that.
_MOST_ROWS, _MOST_ODD, _MOST_CHARACTERS = 200, 20, 1_000
_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+!|<>~$@])")


def markdown(facts: Facts) -> str:
    """Return the summary: the sentence, the outliers, the table of cells (what is not as it should be first)."""
    return "\n".join(_lines(facts)) + "\n"


def inline(text: str) -> str:
    """Return ``text`` so that Markdown shows it as it is, in one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(clean(text).split())).replace("\\<", "&lt;").replace("\\>", "&gt;")


def _lines(facts: Facts) -> Iterator[str]:
    yield f"## {inline(facts.name)}: {'as predicted' if is_good(facts) else 'not all as it should be'}"
    yield ""
    yield inline(sentence(facts))
    odd = [record for cell in facts.cells for record in facts.trials[cell.cell] if is_odd(record)]
    if odd:
        yield "\n### Outliers\n"
        for record in sorted(odd, key=distance, reverse=True)[:_MOST_ODD]:
            said = (record.flagged or record.why)[:_MOST_CHARACTERS]
            yield f"- **Trial {record.trial}, {odd_word(record)}** ({inline(record.cell)}): {inline(said)}"
        if len(odd) > _MOST_ODD:
            yield f"- and {many(len(odd) - _MOST_ODD, 'more trial')}"
    yield "\n### Cells\n"
    yield "| cell | verdict | sign | trials | median | from, to | predicted | off by | proved | agrees |"
    yield "|---|---|---|--:|--:|--:|--:|--:|---|---|"
    rows = sorted(facts.cells, key=lambda cell: cell.agrees and cell.proved)
    yield from (_row(facts, cell) for cell in rows[:_MOST_ROWS])
    if len(rows) > _MOST_ROWS:
        yield f"\n{many(len(rows) - _MOST_ROWS, 'more cell')} left out here: the page and the records have them."
    machine = facts.machine
    if machine:
        known = (f"{key} {machine[key]}" for key in ("kernel", "hz", "machine", "cpus", "python") if machine.get(key))
        yield f"\nMeasured on: {inline(', '.join(known))}."
    for warning in facts.warnings:
        yield f"\nWarning: {inline(warning)}"


def _row(facts: Facts, cell: Cell) -> str:
    spread = "" if cell.min_s is None else f"{cell.min_s:.3f}, {cell.max_s:.3f} s"
    worst = max(cell.errors_s, key=abs, default=None)
    values = (
        inline(facts.label(cell)),
        inline(verdict(cell)),
        inline(sign(cell)),
        str(cell.trials),
        "" if cell.median_s is None else f"{cell.median_s:.3f} s",
        spread,
        predicted(cell),
        "" if worst is None else milliseconds(worst),
        "yes" if cell.proved else f"**NO** ({cell.unproved})",
        "yes" if cell.agrees else f"**NO** ({cell.disagree})",
    )
    return "| " + " | ".join(values) + " |"
