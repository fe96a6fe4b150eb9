"""The plots: what is drawn, where, and what is said of it to who cannot see it."""

import re
from xml.etree import ElementTree as Xml

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sweeps import EVIL, facts, late, never, record, sweep

from harness.errors import Unavailable
from harness.predict.situation import Step
from harness.report.plots.axes import pairs
from harness.report.plots.deviation import deviation
from harness.report.plots.distribution import distribution
from harness.report.plots.files import plots, png, ready, svg
from harness.report.plots.heatmap import heat_maps
from harness.report.plots.palette import _HEAT, _ROLES, rules
from harness.report.plots.scale import scale_for, short
from harness.report.plots.survival import estimate, survival
from harness.report.plots.svg import element, escape, fitted
from harness.report.plots.trial import chosen, timeline

PNG = b"\x89PNG\r\n\x1a\n"


def texts(panel):
    return re.findall(r"<text[^>]*>([^<]*)</text>", panel.body)


def test_the_axes_are_the_settings_that_move_the_time_most():
    records = sweep(idles=(1, 2, 30), intervals=(1, 2))
    first = pairs(facts(records))[0]
    assert (first.across, first.down, first.apart) == ("interval", "keepalive", ("fault",))


def test_one_setting_makes_a_map_with_one_row_and_none_makes_no_map():
    one = pairs(facts(sweep(intervals=(1,), faults=("crash-client",))))
    assert [(axes.across, axes.down) for axes in one] == [("keepalive", "")]
    assert heat_maps(facts([record()])) == []


def test_measured_and_predicted_stand_beside_each_other_with_the_same_colours():
    measured, predicted = heat_maps(facts(sweep(faults=("crash-client",))))[0].panels
    assert "measured" in measured.title
    assert "predicted" in predicted.title
    colours = [re.findall(r"heat\d", panel.body) for panel in (measured, predicted)]
    assert len(colours[0]) == 6
    assert colours[0] == colours[1]


def test_the_map_says_every_place_in_words():
    panel = heat_maps(facts(sweep(faults=("crash-client",))))[0].panels[0]
    assert "interval 2 s, keepalive 4 s: 10 s" in panel.says
    assert panel.says.count(";") == 5


def test_a_place_where_nothing_was_noticed_says_never_and_an_odd_one_has_a_frame():
    records = [record(0, idle=1), late(1, idle=2), never(2)]
    measured = heat_maps(facts(records))[0].panels[0]
    assert "never" in texts(measured)
    assert measured.body.count('class="odd"') == 1
    assert "not all as predicted" in measured.says


def test_every_trial_has_its_point_and_every_cell_its_interval():
    panel = distribution(facts(sweep(repeat=3)), 800.0).panels[0]
    points = "".join(re.findall(r'd="([^"]*)" class="dots point"', panel.body))
    assert points.count("M") == 36
    assert panel.body.count('class="band"') == 12


def test_a_trial_that_is_not_as_predicted_is_a_cross():
    panel = distribution(facts([record(0), late(1)]), 800.0).panels[0]
    assert panel.body.count('class="odd"') == 1


def test_many_cells_make_several_panels():
    plot = distribution(facts(sweep(idles=range(1, 51), intervals=(1,), faults=("crash-client",))), 800.0)
    assert [panel.title for panel in plot.panels] == [
        "Detection times by cell, 1 to 40 of 50",
        "Detection times by cell, 41 to 50 of 50",
    ]


def test_kaplan_and_meier_with_a_trial_that_left_before_the_last_one_died():
    """By hand: of four at risk one dies at 2, one is censored at 3, of two left one dies at 5 and one never does."""
    curve = estimate(
        [record(0, exact=2.0, off=0.0), never(1, watched=3.0), record(2, exact=5.0, off=0.0), never(3, watched=0.0)]
    )
    assert curve.steps == [(0.0, 1.0), (2.0, 0.75), (5.0, 0.375)]
    assert curve.censored == [(3.0, 0.75)]
    assert (curve.at_end, curve.trials) == (1, 4)


@given(st.lists(st.tuples(st.floats(0.5, 100), st.booleans()), min_size=1, max_size=20))
@settings(max_examples=30, deadline=None)
def test_a_survival_curve_never_rises_and_stays_between_nothing_and_all(trials):
    made = [record(0, exact=at, off=0.0) if died else never(0, watched=at) for at, died in trials]
    curve = estimate(made)
    shares = [share for _, share in curve.steps]
    assert shares == sorted(shares, reverse=True)
    assert all(-1e-9 <= share <= 1 for share in shares)
    assert len(curve.steps) - 1 + len(curve.censored) == len(trials)


def test_never_goes_on_to_the_edge_with_a_ring():
    crashed, cut = survival(facts([record(0), never(1)]), 800.0).panels
    assert (crashed.body.count("<circle"), cut.body.count("<circle")) == (0, 1)
    assert "1 of 1 trial noticed" in crashed.says
    assert "0 of 1 trial noticed" in cut.says


def test_the_deviation_of_every_trial_is_drawn_and_what_is_far_out_has_its_number():
    records = [record(n, off=0.0001 * (n % 5)) for n in range(40)]
    plot = deviation(facts([*records, late(40)]), 800.0)
    assert plot is not None
    assert "+1250.00 ms" in texts(plot.panels[0])
    assert "41 trials: from +0.00 ms to +1250.00 ms" in plot.panels[0].says


def test_there_is_no_deviation_without_an_exact_prediction():
    assert deviation(facts([never(0)]), 800.0) is None


def test_the_timeline_sets_each_packet_beside_its_prediction():
    panel = timeline(record(), 800.0).panels[0]
    said = texts(panel)
    assert "keepalive probe 1 from the server" in said
    assert said.count("+0.10 ms") == 3
    assert "+0.30 ms" in said  # the sign


def test_the_timeline_says_what_was_predicted_and_not_seen():
    one = record()
    del one.seen[1]
    one.prediction.steps.append(Step(at_s=20.0, what="keepalive probe 4"))
    said = texts(timeline(one, 800.0).panels[0])
    assert "keepalive probe 4: predicted, not seen" in said


def test_a_tail_loss_probe_is_seen_as_a_retransmission():
    one = record(
        seen=[Step(at_s=0.212, what="retransmission 1 from the client")],
    )
    one.prediction.steps.insert(0, Step(at_s=0.2119, what="tail loss probe"))
    assert "retransmission 1 from the client (tail loss probe)" in texts(timeline(one, 800.0).panels[0])


def test_odd_trials_are_shown_before_one_of_each_kind():
    records = [record(0), record(1), late(2), never(3)]
    assert [each.trial for each in chosen(facts(records), 24)] == [2, 0, 3]
    assert [each.trial for each in chosen(facts(records), 24, number=1)] == [1, 2, 0, 3]


@pytest.mark.parametrize("records", [sweep(), [record(0), late(1), never(2, watched=30.0)], [never(0)]])
def test_every_file_is_well_formed_and_names_itself(records):
    for plot in plots(facts(records)):
        root = Xml.fromstring(svg(plot))
        title = root.find("{http://www.w3.org/2000/svg}title")
        says = root.find("{http://www.w3.org/2000/svg}desc")
        assert title is not None and title.text
        assert says is not None and says.text
        for number in re.findall(r'\b(?:x|y|cx|cy|width|height)="([^"]*)"', svg(plot)):
            float(number)


def test_nothing_that_comes_from_outside_becomes_markup():
    records = [record(0, cell=f"crash-client where={EVIL}", why=EVIL), record(1)]
    for plot in plots(facts(records)):
        root = Xml.fromstring(svg(plot))
        assert not {element.tag.rpartition("}")[2] for element in root.iter()} & {"script", "img"}


def test_a_file_has_measured_and_predicted_in_one_row():
    whole = svg(heat_maps(facts(sweep()))[0])
    places = re.findall(r'transform="translate\(([\d.]+) ([\d.]+)\)"', whole)
    assert len(places) == 4
    assert [y for _, y in places[::2]] == [y for _, y in places[1::2]]
    assert len({x for x, _ in places[::2]}) == len({x for x, _ in places[1::2]}) == 1


def test_png_is_made_of_the_same_drawing():
    try:
        ready()
    except Unavailable as missing:
        pytest.skip(str(missing))
    plot = next(iter(plots(facts(sweep()))))
    assert png(plot).startswith(PNG)


def test_control_characters_and_quotes_are_cleaned():
    assert escape("a\x00b<\"'&>") == "a\ufffdb&lt;&quot;&#39;&amp;&gt;"
    assert element("text", x=1.04, y=2.0, kind="ink", title=None) == '<text x="1" y="2" class="ink"/>'
    assert fitted("keepalive", 30.0) == "kee…"


@given(st.lists(st.floats(0, 1e5), min_size=1, max_size=30), st.integers(2, 9))
@settings(max_examples=100, deadline=None)
def test_every_value_is_on_its_axis_and_ticks_are_too(values, most):
    scale = scale_for(values, 10.0, 500.0)
    assert all(10.0 <= scale.at(value) <= 500.0 for value in values)
    ordered = sorted(values)
    assert [scale.at(v) for v in ordered] == sorted(scale.at(v) for v in ordered)
    ticks = scale.ticks(most)
    assert all(scale.low * 0.999 - 1e-9 <= tick <= scale.high * 1.001 + 1e-9 for tick in ticks)
    assert len(ticks) <= most + 1


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0"),
        (0.0001, "100 µs"),
        (0.13, "130 ms"),
        (4.8512, "4.85 s"),
        (150, "150 s"),
        (900, "15 min"),
        (7200, "2 h"),
    ],
)
def test_times_in_plots_are_short(seconds, text):
    assert short(seconds) == text


def _luminance(colour):
    channels = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    """WCAG 2.2, 1.4.3: the ratio of two colours' luminance."""
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [0, 1])
@pytest.mark.parametrize("role", ["ink", "quiet", "link", "bad", "good"])
def test_words_stand_out_from_paper_and_from_raised_paper(role, theme):
    for paper in ("paper", "raised"):
        assert contrast(_ROLES[role][theme], _ROLES[paper][theme]) >= 4.5


@pytest.mark.parametrize("theme", [0, 1])
def test_lines_stand_out_from_paper(theme):
    for i in range(8):
        assert contrast(_ROLES[f"series{i}"][theme], _ROLES["paper"][theme]) >= 3.0


@pytest.mark.parametrize("theme", [0, 1])
def test_numbers_stand_out_from_every_heat(theme):
    style = rules(theme)
    for step in range(len(_HEAT)):
        paper = re.search(rf"\.heat{step}{{fill:(#\w+)}}", style)
        ink = re.search(rf"\.on{step}{{fill:(#\w+)}}", style)
        assert paper is not None and ink is not None
        assert contrast(paper[1], ink[1]) >= 4.5
