"""What the reports say in words: what varies, the sentence, the names of cells."""

from sweeps import facts, late, never, record, sweep

from harness.report.facts import in_order, shown, spoken
from harness.report.sums import is_good, percentile, predicted, sentence, sign, verdict


def test_what_varies_is_told_from_what_is_the_same():
    found = facts(sweep())
    assert found.varies == {
        "fault": ["crash-client", "crash-server"],
        "keepalive": ["1", "2", "4"],
        "interval": ["1", "2"],
    }
    assert found.same == {"probes": "3", "traffic": "idle", "survivor": "server", "ipv": "4"}


def test_a_label_says_what_distinguishes_the_cell_and_its_units():
    found = facts(sweep())
    assert found.label(found.cells[0]) == "crash-client, keepalive 1 s, interval 1 s"


def test_a_run_of_one_cell_is_called_by_its_whole_text():
    found = facts([record()])
    assert found.label(found.cells[0]) == found.cells[0].cell


def test_a_survivor_that_follows_from_the_fault_is_not_told():
    found = facts([record(0), never(1)])
    assert "survivor" in found.varies
    assert "survivor" not in found.telling


def test_amounts_are_in_their_order_and_what_is_not_set_comes_first():
    assert sorted(["10", "9", "1500ms", "-", "idle"], key=in_order) == ["-", "1500ms", "9", "10", "idle"]


def test_values_have_units_where_they_are_times():
    assert shown("user-timeout", "1500ms") == "1.5 s"
    assert shown("probes", "3") == "3"
    assert spoken("keepalive", "-") == "no keepalive"


def test_a_good_run_in_one_sentence():
    found = facts(sweep())
    assert is_good(found)
    assert sentence(found) == (
        "24 trials of 12 cells: 24 detected. All proved, all as predicted. Detection took 4 s to 10.01 s, 7.01 s in "
        "the median. From the exact prediction: 0.30 ms in the median, 0.30 ms at the 99th percentile, 0.30 ms at most."
    )


def test_what_is_odd_is_counted_in_the_sentence():
    found = facts([record(0), late(1), record(2, flagged="25 ms late"), never(3)])
    assert not is_good(found)
    said = sentence(found)
    assert said.startswith("3 trials of 2 cells: 2 detected, 1 missed.")
    assert "Not as predicted: 1; flagged and not counted: 1." in said


def test_a_run_that_was_never_detected_says_so():
    assert "Nothing was detected." in sentence(facts([never(0), never(1)]))


def test_a_run_all_of_whose_trials_were_flagged_counts_none():
    found = facts([record(0, flagged="25 ms late")])
    assert sentence(found).startswith("No trial counts.")
    assert verdict(found.cells[0]) == "flagged"


def test_the_short_texts_of_a_cell():
    seen, missed = facts([record(0, exact=8.0), never(1)]).cells
    assert (verdict(seen), sign(seen), predicted(seen)) == ("detected", "ETIMEDOUT by keepalive", "8.000 s")
    assert (verdict(missed), sign(missed), predicted(missed)) == ("missed", "", "never")


def test_percentiles_are_values_that_were_seen():
    values = [float(n) for n in range(1, 101)]
    assert percentile(values, 0.99) == 99.0
    assert percentile(values, 1.0) == 100.0
    assert percentile([7.0], 0.5) == 7.0
