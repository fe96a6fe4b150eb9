"""A night for those who read it in the morning: the comparison as Markdown, and as a test suite of JUnit's.

They go before and into the reports of the run itself (markdown.py, junit.py), which are made of the same numbers.
"""

from collections.abc import Iterator
from xml.etree import ElementTree as Xml

from harness.compare.baseline import Night
from harness.compare.change import Change, Comparison
from harness.compare.machine import said
from harness.report.compare import conditions, remarks, summary, time_of
from harness.report.markdown import inline
from harness.report.plots.svg import clean
from harness.report.sums import many

_MOST = 50
# By whether it is one to compare with, and whether it exited 0.
_TITLES = {(True, True): "Good night", (True, False): "First night", (False, False): "Bad night"}


def sentence(night: Night, comparison: Comparison | None) -> str:
    """Return what became of the night, in one or two sentences."""
    lacks = "".join(f" {line}." for line in _lacks(night))
    if comparison is None:
        good = "everything is" if night.exit_code == 0 else "not all of it is"
        return (
            f"The first night of sweep {night.sweep} on a machine of this class ({said(night.machine_class)}): none to "
            f"compare it with; {good} proved and as predicted.{lacks}"
        )
    against = f"Sweep {night.sweep} against {night.compared_with}, the last good night of this machine class"
    return f"{against} ({said(night.machine_class)}): {summary(comparison)}.{lacks}"


def _lacks(night: Night) -> list[str]:
    """Return what the night did not measure."""
    lines = []
    if night.missing:
        lines.append(f"{many(night.missing, 'trial')} of the plan left no record")
    if night.unmeasured:
        lines.append(f"{many(night.unmeasured, 'cell')} not measured: every attempt came too late to count")
    return lines


def markdown(night: Night, comparison: Comparison | None) -> str:
    """Return the part of a job's summary that compares."""
    return "\n".join(_lines(night, comparison)) + "\n\n"


def _lines(night: Night, comparison: Comparison | None) -> Iterator[str]:
    yield f"## {_TITLES[night.good, night.exit_code == 0]}\n"
    yield inline(sentence(night, comparison))
    if comparison is None:
        return
    for title, changes in (
        ("Regressions", comparison.regressions),
        ("Improvements", comparison.improvements),
        ("Notes", comparison.notes),
    ):
        if changes:
            yield f"\n### {title}\n"
            yield "| what | cell | before | after | why |"
            yield "|---|---|--:|--:|---|"
            yield from (_row(change) for change in changes[:_MOST])
        if len(changes) > _MOST:
            yield f"\n{len(changes) - _MOST} more are left out here; `invoke compare --json` has them."
    yield ""
    yield from (f"- {inline(line)}" for line in (*conditions(comparison), *remarks(comparison)))


def _row(change: Change) -> str:
    values = change.kind, change.cell, time_of(change.before), time_of(change.after), change.why
    return "| " + " | ".join(inline(value) for value in values) + " |"


def with_suite(document: str, night: Night, comparison: Comparison | None) -> str:
    """Return a run's JUnit ``document`` with one more suite: a failed case for every cell that got worse, or one that
    passed. Raises ValueError where it is no JUnit document.
    """
    root = Xml.fromstring(document)
    first = root.find("testsuite")
    if first is None:
        raise ValueError("no testsuite")
    cases = _cases(night, comparison)
    failed = sum(case.find("failure") is not None for case in cases)
    counts = {"tests": str(len(cases)), "failures": str(failed), "errors": "0", "skipped": "0", "time": "0.000"}
    same = {name: first.get(name, "") for name in ("package", "hostname", "timestamp")}
    name = f"{first.get('name', '')} against {night.compared_with or 'nothing'}"
    suite = Xml.SubElement(root, "testsuite", {"name": clean(name), "id": "1", **same, **counts})
    Xml.SubElement(suite, "properties")
    suite.extend(cases)
    Xml.SubElement(suite, "system-out").text = clean(sentence(night, comparison))
    Xml.SubElement(suite, "system-err")
    Xml.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + Xml.tostring(root, encoding="unicode") + "\n"


def _cases(night: Night, comparison: Comparison | None) -> list[Xml.Element]:
    found = [_case(change) for change in comparison.regressions] if comparison else []
    found += [_failed("plan", "not measured", line) for line in _lacks(night)]
    return found or [Xml.Element("testcase", {"classname": "halfopen.compare", "name": "compare", "time": "0.000"})]


def _case(change: Change) -> Xml.Element:
    times = f"before {time_of(change.before)}, after {time_of(change.after)}"
    return _failed(change.cell, change.kind, f"{change.why} ({times})")


def _failed(name: str, kind: str, message: str) -> Xml.Element:
    case = Xml.Element("testcase", {"classname": "halfopen.compare", "name": clean(name), "time": "0.000"})
    Xml.SubElement(case, "failure", {"type": kind, "message": clean(message)}).text = clean(message)
    return case
