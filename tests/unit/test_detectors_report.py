"""What is shown of the detectors: the table on the terminal, and the page."""

import io

import msgspec
import pytest
from cells import PROVED, SAID, judge
from rich.console import Console

from harness.detectors import all_detectors
from harness.detectors.cell import expected, judged
from harness.detectors.record import Cell, Proof
from harness.detectors.run import run
from harness.detectors.states import ALL
from harness.detectors.surprises import SURPRISES
from harness.endpoints.checks import CHECKS
from harness.errors import Unavailable
from harness.report.detectors import mark, prices, show
from harness.report.detectors_page import page
from harness.runner import Wanted

METADATA = {"hz": 250}


def every_cell():
    """Cells as expected, one for each check and state."""
    answers = {("right", True): "alive", ("wrong", True): "gone", ("right", False): "gone", ("blind", False): "alive"}
    cells = []
    for detector in all_detectors().values():
        for state in ALL:
            expect = detector.expect(state.name)
            cell = Cell(
                check=detector.name,
                state=state.name,
                ipv=4,
                there=state.there,
                expected=expected(expect),
                proof=PROVED,
                kernel="6.18",
            )
            said = SAID | {
                "answer": answers.get((expect.verdict, state.there), "unsure"),
                "after": round(expect.after_s * 1e9) + 20_000,
                "pending": state.pending,
                "eaten": expect.eaten,
                "sent": expect.sent,
                "error_pending": expect.swallowed,
            }
            cells.append(judged(cell, state, expect, said, {}, PROVED))
    return cells


def shown(cells):
    out = io.StringIO()
    show(cells, Console(file=out, width=80, highlight=False))
    return out.getvalue()


def test_the_table_fits_a_terminal_and_says_that_all_is_as_expected():
    text = shown(every_cell())
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    assert "198 of 198 cells are as expected" in text


def test_a_cell_that_differs_is_named():
    cells = every_cell()
    cells[0] = msgspec.structs.replace(cells[0], agrees=False, differs=["wrong (0), not right"])
    text = shown(cells)
    assert "deadline-past in quiet: wrong (0), not right" in text
    assert "197 of 198" in text


def test_marks():
    assert mark(judge()) == "yes"
    assert mark(judge(answer="alive")) == "-"
    assert mark(judge(after=500_000_000)) == "0.50s"
    assert mark(judge(after=52_000_000)) == "52ms"
    assert mark(judge("quiet", answer="gone")) == "WRONG"
    assert mark(judge(proof=Proof(holds=False, missing="no FIN", seen=None))) == "?"


def test_prices():
    assert prices([judge()]) == ("", "", "")
    assert prices([judge(), judge(eaten=1, error_pending=True), judge(sent=2)]) == ("1 byte", "yes", "2 bytes")


def test_the_page_has_the_table_the_surprises_and_every_reason():
    cells = every_cell()
    text = page(cells, METADATA)
    assert "Linux 6.18, CONFIG_HZ=250, IPv4: 198 of 198 cells as expected" in text
    assert all(f"| {name} |" in text for name in CHECKS)
    assert "Not as expected" not in text
    flat = " ".join(text.split())
    for surprise in SURPRISES:
        assert surprise.claim in flat
    for detector in all_detectors().values():
        for expect in detector.expects:
            assert expect.why[1:] in flat
    assert all(len(line) <= 120 or line.startswith("|") for line in text.splitlines())


def test_the_page_says_what_was_not_as_expected():
    cells = every_cell()
    cells[0] = msgspec.structs.replace(cells[0], agrees=False, differs=["wrong (0), not right"])
    assert "- deadline-past, quiet: wrong (0), not right" in page(cells, METADATA)


def test_a_page_that_cannot_be_written_is_refused_before_anything_runs(tmp_path):
    with pytest.raises(Unavailable, match="cannot be written"):
        run(4, Wanted(results=tmp_path / "results"), tmp_path / "none" / "page.md")
    assert not (tmp_path / "results").exists()
