"""The page: well-formed, whole, accessible as far as markup can tell, and nothing from outside becomes markup."""

import itertools
import re
from html.parser import HTMLParser

import pytest
from sweeps import EVIL, MACHINE, facts, late, never, record, sweep

from harness.report.page.html import page

VOID = {"meta", "br", "input"}


class Reader(HTMLParser):
    """Checks that elements are closed in order, and keeps every element with its attributes and its text."""

    def __init__(self, html):
        super().__init__()
        self.open, self.found, self.text = [], [], []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data):
        self.text.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.found if name == tag]


def odd_run():
    return [record(0), record(1, idle=9, exact=12.0), late(2), never(3), record(4, flagged="25.1 ms late")]


@pytest.fixture(params=["good", "odd", "one"])
def html(request):
    return page(facts({"good": sweep(), "odd": odd_run(), "one": [record()]}[request.param]))


def test_it_is_well_formed_and_every_id_is_there_once(html):
    ids = [attributes["id"] for _, attributes in Reader(html).found if "id" in attributes]
    assert sorted(ids) == sorted(set(ids))


def test_everything_that_is_referred_to_is_there(html):
    found = Reader(html).found
    ids = {attributes["id"] for _, attributes in found if "id" in attributes}
    for _, attributes in found:
        for key in ("for", "aria-labelledby"):
            assert set((attributes.get(key) or "").split()) <= ids
        if (attributes.get("href") or "").startswith("#"):
            assert attributes["href"][1:] in ids


def test_nothing_is_fetched_and_a_policy_forbids_it(html):
    reader = Reader(html)
    for _, attributes in reader.found:
        assert "src" not in attributes
        assert (attributes.get("href") or "#").startswith("#")
        assert "style" not in attributes
        assert not [key for key in attributes if key.startswith("on")]
    assert "url(" not in html
    assert "@import" not in html
    policy = next(a["content"] for a in reader.all("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; style-src 'sha256-")


def test_landmarks_headings_and_captions(html):
    reader = Reader(html)
    for landmark in ("header", "nav", "main", "footer"):
        assert len(reader.all(landmark)) == 1
    levels = [int(tag[1]) for tag, _ in reader.found if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    assert len(reader.all("caption")) == len(reader.all("table"))
    assert all(attributes.get("scope") for attributes in reader.all("th"))


def test_every_plot_has_a_name_and_words(html):
    reader = Reader(html)
    for svg in reader.all("svg"):
        assert svg["role"] == "img"
        assert svg["aria-labelledby"]
    assert len(reader.all("desc")) == len(reader.all("title")) - 1 == len(reader.all("svg"))


def test_every_control_has_a_label(html):
    reader = Reader(html)
    labels = {attributes["for"] for attributes in reader.all("label")}
    for tag in ("select", "input"):
        assert all(attributes["id"] in labels for attributes in reader.all(tag))


def test_a_row_for_every_cell_with_its_numbers():
    records = sweep()
    reader = Reader(page(facts(records)))
    rows = [attributes for attributes in reader.all("tr") if "data-text" in attributes]
    assert [row["data-text"] for row in rows] == list(dict.fromkeys(each.cell for each in records))
    assert rows[0]["data-agrees"] == "yes"
    assert "4.005" in reader.text


def test_there_is_a_filter_for_all_that_varies():
    reader = Reader(page(facts([record(0), record(1, idle=9), never(2)])))
    assert {select["id"] for select in reader.all("select")} >= {"by-verdict", "by-agrees", "by-proved", "by-v0"}
    said = " ".join(reader.text)
    for name in ("fault", "keepalive", "survivor", "verdict", "agrees"):
        assert name in said


def test_the_outliers_come_with_their_explanation():
    said = " ".join(Reader(page(facts(odd_run()))).text)
    assert "Trial 2, not as predicted (+1250.00 ms)" in said
    assert "The prediction was 8 s: a finding." in said
    assert "25.1 ms late" in said


def test_a_run_without_outliers_says_so():
    assert "None: every trial is proved, and as predicted." in page(facts(sweep()))


def test_the_machine_is_there_and_a_run_that_does_not_say_is_no_error():
    assert "net.ipv4.tcp_retries2" in page(facts(sweep()))
    assert "has no machine.json" in page(facts(sweep(), machine={}))


def test_the_trial_that_was_asked_for_is_the_first_in_the_list():
    reader = Reader(page(facts(sweep()), number=7))
    options = [text for text in reader.text if text.startswith("Trial 7:")]
    assert options


def test_whatever_a_name_holds_stays_text():
    clean = Reader(page(facts([record(0), late(1, idle=9)])))
    records = [
        record(0, cell=f"crash-client where={EVIL} traffic=idle", why=EVIL, warnings=[EVIL]),
        late(1, cell=f"crash-client where=x traffic={EVIL}"),
        record(2, flagged=EVIL, cell=f"{EVIL} {EVIL}=1"),
    ]
    reader = Reader(page(facts(records, name=EVIL, machine={**MACHINE, EVIL: EVIL})))
    assert len(reader.all("script")) == len(clean.all("script")) == 1
    assert reader.all("img") == []
    assert not [key for _, attributes in reader.found for key in attributes if key.startswith("on")]
    assert "\x07" not in page(facts(records, name=EVIL))


@pytest.mark.slow
def test_a_thousand_cells_take_at_most_five_megabytes():
    records = sweep(range(1, 26), range(1, 11), ("crash-client", "crash-server", "cut-link", "crash-host"), repeat=3)
    found = facts(records)
    assert len(found.cells) == 1000
    assert len(page(found).encode()) <= 5_000_000
