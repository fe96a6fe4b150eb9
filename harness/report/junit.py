"""The run as JUnit XML, for what collects test results: one testcase per cell.

The format has no standard; what is written here is what Jenkins' and Ant's schemas share. ``time`` is the cell's median
detection time, in seconds. XML 1.0 cannot hold control characters, not even escaped: they are replaced.
"""

from xml.etree import ElementTree as Xml

from harness.report.facts import Facts
from harness.report.plots.svg import clean
from harness.report.sums import is_odd, milliseconds, predicted, sentence, sign, verdict, what_is_odd
from harness.store.cells import Cell

_MOST_TOLD = 5


def junit(facts: Facts) -> str:
    """Return the document. A cell fails that is not proved or not as predicted; one whose trials all came too late is
    skipped, for it was not measured.
    """
    cells = facts.cells
    failed = sum(_fails(cell) for cell in cells)
    skipped = sum(not cell.trials for cell in cells)
    total = f"{sum(after for cell in cells for after in cell.after_s):.3f}"
    counts = {"tests": str(len(cells)), "failures": str(failed), "errors": "0", "time": total}
    # Without attributes: Ant's schema knows none here, Jenkins' asks for none.
    root = Xml.Element("testsuites")
    suite = Xml.SubElement(
        root,
        "testsuite",
        {
            "name": clean(facts.name),
            "package": "halfopen",
            "id": "0",
            # Nothing here tells where it was run: the schema's word for a host that is not known.
            "hostname": "localhost",
            "timestamp": f"{facts.started:%Y-%m-%dT%H:%M:%S}",
            **counts,
            "skipped": str(skipped),
        },
    )
    properties = Xml.SubElement(suite, "properties")
    for key in ("kernel", "hz", "machine", "cpus", "python"):
        if facts.machine.get(key) is not None:
            Xml.SubElement(properties, "property", {"name": key, "value": clean(facts.machine[key])})
    for cell in cells:
        _case(suite, facts, cell)
    Xml.SubElement(suite, "system-out").text = clean(sentence(facts))
    Xml.SubElement(suite, "system-err").text = clean("\n".join(facts.warnings))
    Xml.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + Xml.tostring(root, encoding="unicode") + "\n"


def _fails(cell: Cell) -> bool:
    return bool(cell.trials) and not (cell.agrees and cell.proved)


def _case(suite: Xml.Element, facts: Facts, cell: Cell) -> None:
    case = Xml.SubElement(
        suite,
        "testcase",
        {
            "classname": f"halfopen.{clean(cell.experiment)}",
            "name": clean(cell.cell),
            "time": f"{cell.median_s or 0.0:.3f}",
        },
    )
    if not cell.trials:
        Xml.SubElement(case, "skipped")
    elif _fails(cell):
        what = "not proved" if not cell.proved else "not as predicted"
        failure = Xml.SubElement(case, "failure", {"type": what, "message": clean(_message(cell))})
        failure.text = clean(_explained(facts, cell))


def _message(cell: Cell) -> str:
    seen = f"{verdict(cell)} {sign(cell)}".strip()
    middle = "" if cell.median_s is None else f", median {cell.median_s:.3f} s"
    counted = [
        f"{count} of {cell.trials} {what}"
        for count, what in ((cell.unproved, "not proved"), (cell.disagree, "not as predicted"))
        if count
    ]
    return f"{', '.join(counted)}: {seen}{middle}; predicted {predicted(cell)}"


def _explained(facts: Facts, cell: Cell) -> str:
    """Each trial that is not as it should be, with its sentence."""
    told = []
    for record in facts.trials[cell.cell]:
        if record.flagged is None and is_odd(record):
            after, exact = record.detection.after_s, record.prediction.exact_s
            far = "" if after is None or exact is None else f" ({milliseconds(after - exact)})"
            told.append(f"Trial {record.trial}, {what_is_odd(record)}{far}: {record.why}")
    return "\n".join(told[:_MOST_TOLD])
