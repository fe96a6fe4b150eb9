import pytest
from stored import stored

from harness.errors import Refused
from harness.store.disk import disk_line, disk_use, format_size, parse_size


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (20_480, "20.5 kB"),
        (999_499, "999 kB"),
        (999_600, "1.0 MB"),
        (2_345_678, "2.3 MB"),
        (5e15, "5000 TB"),
    ],
)
def test_a_size_is_written_for_a_person(size, text):
    assert format_size(size) == text


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("500kB", 500_000),
        ("100 MB", 10**8),
        ("1.5GB", 15 * 10**8),
        ("64MiB", 1 << 26),
        ("3b", 3),
        ("2k", 2000),
    ],
)
def test_a_size_is_read(text, size):
    assert parse_size(text, "--larger-than") == size


@pytest.mark.parametrize("text", ["", "MB", "-1", "1 EB", "ten", "1e3", "1.MB"])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(Refused, match=r"--larger-than: .* is no size; write 500kB"):
        parse_size(text, "--larger-than")


def test_disk_use_counts_what_a_removal_would_free_and_follows_no_link(tmp_path):
    folder = stored(tmp_path / "results")
    before = disk_use(folder)
    (folder / "report").mkdir()
    (folder / "report" / "page.html").write_bytes(b"x" * 100_000)
    (tmp_path / "big").write_bytes(b"x" * 1_000_000)
    (folder / "link").symlink_to(tmp_path / "big")
    (folder / "up").symlink_to(tmp_path)
    assert 100_000 <= disk_use(folder) - before < 200_000


def test_the_line_at_a_runs_end_says_what_it_takes_and_what_all_take(tmp_path):
    folder = stored(tmp_path)
    assert disk_line(folder) == f"{format_size(disk_use(folder))} in {folder}"
    stored(tmp_path, "2026-01-02T030406Z-cut-link")
    assert disk_line(folder).endswith(f"; 2 runs take {format_size(2 * disk_use(folder))} (invoke prune)")
