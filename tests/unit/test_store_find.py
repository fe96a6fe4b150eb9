import pytest
from stored import stored

from harness.errors import Refused
from harness.store.find import find_run, is_run, runs, started, what

NAMES = ("2026-01-02T030405Z-no-fault", "2026-01-02T030406Z-cut-link", "2026-01-03T000000Z-cut-link")


@pytest.fixture
def results(tmp_path):
    for name in NAMES:
        stored(tmp_path / "results", name)
    return tmp_path / "results"


@pytest.mark.parametrize(
    ("text", "name"), [("latest", NAMES[2]), ("latest~1", NAMES[1]), ("latest~2", NAMES[0]), (NAMES[0], NAMES[0])]
)
def test_a_run_is_found_by_its_name_and_by_its_place_from_the_end(results, text, name):
    assert find_run(text, results) == results / name


def test_a_run_is_found_by_its_path_wherever_it_is(results, tmp_path):
    elsewhere = stored(tmp_path / "elsewhere", "mine")
    assert find_run(str(elsewhere), results) == elsewhere
    assert find_run(f"{elsewhere}/", results) == elsewhere


def test_runs_of_one_second_are_in_the_order_of_their_numbers(tmp_path):
    for number in (1, 2, 10, 9):
        stored(tmp_path, f"2026-01-02T030405Z-cut-link{'' if number == 1 else f'-{number}'}")
    assert [folder.name.removeprefix("2026-01-02T030405Z-") for folder in runs(tmp_path)] == [
        *("cut-link", "cut-link-2", "cut-link-9", "cut-link-10")
    ]
    assert {what(folder) for folder in runs(tmp_path)} == {"cut-link"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("latest~3", "latest~3: .*results has 3 runs"),
        ("cut-link", r"near it: 2026-01-03T000000Z-cut-link, 2026-01-02T030406Z-cut-link$"),
        ("2026-01-02T030405Z-no-fualt", "near it: 2026-01-02T030405Z-no-fault"),
        ("zzz", r"runs are in .*results"),
        ("", "names no run"),
        ("..", "is no run: there is no records.jsonl"),
        ("a\0b", "is no run"),
        ("x" * 300, "is no run"),
    ],
)
def test_what_names_no_run_is_refused_in_one_line_with_what_is_near(results, text, says):
    with pytest.raises(Refused, match=says) as error:
        find_run(text, results)
    assert error.value.exit_code == 2 and "\n" not in str(error.value)


def test_where_there_are_no_runs_the_latest_is_refused(tmp_path):
    with pytest.raises(Refused, match="has no run"):
        find_run("latest", tmp_path / "nowhere")


def test_a_link_to_a_run_is_no_run_of_the_folder(results, tmp_path):
    (results / "2026-02-02T000000Z-link").symlink_to(stored(tmp_path, "other"))
    assert [folder.name for folder in runs(results)] == list(NAMES)
    assert not is_run(results / "2026-02-02T000000Z-link")


def test_a_renamed_run_stands_where_its_records_were_last_written(results):
    renamed = (results / NAMES[0]).rename(results / "baseline")
    assert started(renamed).timestamp() == pytest.approx((renamed / "records.jsonl").stat().st_mtime)
    assert find_run("latest", results) == renamed and what(renamed) == "baseline"
