import msgspec
import pytest
from examples import record

from harness.errors import Refused
from harness.store.reading import parse, read

WHOLE = msgspec.json.encode(record())


def fields(**changes):
    return {**msgspec.json.decode(WHOLE), **changes}


def line(found):
    return msgspec.json.encode(found) + b"\n"


def test_records_come_back_as_they_were():
    assert parse(WHOLE + b"\n" + WHOLE + b"\n").records == [record(), record()]


@pytest.mark.parametrize("cut", [1, 20, len(WHOLE) // 2, len(WHOLE) - 1])
def test_a_line_that_is_cut_short_is_counted_and_the_others_stay(cut):
    found = parse(WHOLE + b"\n" + WHOLE[:cut])
    assert (len(found.records), found.unreadable) == (1, 1)


def test_fields_of_a_newer_version_are_passed_over():
    newer = fields(schema=9, mood="calm")
    newer["detection"] = {**newer["detection"], "certainty": 0.9}
    (found,) = parse(line(newer)).records
    assert found == msgspec.structs.replace(record(), schema=9)


def test_a_word_that_only_a_newer_version_knows_is_unknown():
    newer = fields()
    newer["prediction"] = {**newer["prediction"], "verdict": "postponed"}
    (found,) = parse(line(newer)).records
    assert found.prediction.verdict == "unknown" and found.detection.after_s == record().detection.after_s


@pytest.mark.parametrize("gone", ["settings", "proof", "prediction", "fault", "survivor", "ipv", "lab", "agrees"])
def test_what_an_older_version_did_not_write_is_filled_in(gone):
    older = fields()
    del older[gone]
    (found,) = parse(line(older)).records
    assert found.detection == record().detection


def test_a_field_that_is_missing_in_a_part_is_filled_in_and_the_rest_of_the_part_stays():
    older = fields()
    del older["proof"]["holds"]
    (found,) = parse(line(older)).records
    assert not found.proof.holds and found.proof.probes_seen == 3


@pytest.mark.parametrize("text", [b"[1]", b"7", b"null", b"\xff\xfe", b"{", b'{"a":"\xff"}', b"[" * 5000])
def test_what_is_no_record_is_counted(text):
    found = parse(text + b"\n" + WHOLE)
    assert (len(found.records), found.others, found.unreadable) == (1, [], 1)


def test_records_of_other_shapes_are_kept_as_they_are():
    other = {"experiment": "stale-pool", "strategy": "none"}
    found = parse(line(other))
    assert (found.records, found.others, found.unreadable) == ([], [other], 0)


def test_a_run_that_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(Refused, match="cannot be read"):
        read(tmp_path)
