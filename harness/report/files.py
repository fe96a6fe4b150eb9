"""A run's reports as files: what each format is made of, and what its file is called."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from harness.errors import Unavailable
from harness.report.facts import Facts
from harness.report.junit import junit
from harness.report.markdown import markdown
from harness.report.page.html import page
from harness.report.plots import files as plots

_PLOTS = "plots"


def write(facts: Facts, formats: tuple[str, ...], out: Path, trial: int | None = None) -> Iterator[Path]:
    """Write the reports into the folder ``out`` and return each file's path once it is there.

    Raises Unavailable where ``out`` cannot be written.
    """
    for name, make in _made(facts, formats, trial):
        path = out / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Whole or not at all: who reads at the same time meets the old one or the new one.
            beside = path.with_name(f".{path.name}.{os.getpid()}")
            beside.write_bytes(make())
            beside.replace(path)
        except OSError as error:
            raise Unavailable(f"{path} cannot be written ({error.strerror}); name another folder with --out") from None
        yield path


def _made(facts: Facts, formats: tuple[str, ...], trial: int | None) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Return the name of each file, and what makes it."""
    if "html" in formats:
        yield "report.html", lambda: page(facts, trial).encode()
    if "md" in formats:
        yield "summary.md", lambda: markdown(facts).encode()
    if "junit" in formats:
        yield "junit.xml", lambda: junit(facts).encode()
    if not {"svg", "png"} & set(formats):
        return
    for plot in plots.plots(facts, trial):
        if "svg" in formats:
            yield f"{_PLOTS}/{plot.name}.svg", lambda plot=plot: plots.svg(plot).encode()  # type: ignore[misc]
        if "png" in formats:
            yield f"{_PLOTS}/{plot.name}.png", lambda plot=plot: plots.png(plot)  # type: ignore[misc]
