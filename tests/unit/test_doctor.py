import ctypes
import io
import json
import os
import time
from pathlib import Path

import pytest

from harness import doctor
from harness.doctor import child, inside, netlink, outside
from harness.doctor.capability import ALL, Finding
from harness.doctor.child import findings_of, tried
from harness.report.doctor import json_lines, summary, write_table


def found(**present):
    names = {name.replace("_", " "): value for name, value in present.items()}
    return [c.with_finding(Finding(names.get(c.name, True), "as found")) for c in ALL]


def outside_state():
    spaces = [Path(f"/proc/self/ns/{kind}").readlink() for kind in ("user", "mnt", "net", "pid")]
    return spaces, Path("/proc/self/mounts").read_text(), sorted(Path("/proc/self/fd").iterdir())


def children():
    """Return the processes that this one has started and not waited for; other tests may have theirs."""
    return {pid for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()}


@pytest.fixture
def subreaper():
    """Orphans of our children come to us, not to PID 1: so that nothing left behind goes unseen (prctl(2))."""
    prctl = ctypes.CDLL(None).prctl
    prctl(36, 1, 0, 0, 0)
    yield
    prctl(36, 0, 0, 0, 0)


def test_an_examination_tries_everything_and_changes_nothing(subreaper):
    before, others = outside_state(), children()
    began = time.monotonic()
    capabilities = doctor.examine()
    assert time.monotonic() - began < 0.5
    assert [c.name for c in capabilities] == [c.name for c in ALL]
    assert all(c.how and c.lost and c.get for c in capabilities)
    assert not [c for c in capabilities if "the check failed" in c.how]
    assert outside_state() == before
    assert children() == others


def test_every_check_has_its_place_in_the_list_and_the_other_way_round():
    checks = {*inside._CHECKS, *outside._CHECKS, "private namespaces", "tracefs", "root or user namespaces"}
    assert checks == {c.name for c in ALL}


def test_without_namespaces_the_rest_cannot_be_tried(monkeypatch):
    def forbidden():
        raise inside.Forbidden("user.max_user_namespaces=0", "sysctl -w user.max_user_namespaces=10000")

    monkeypatch.setattr(inside, "enter", forbidden)
    findings = dict(inside.findings())
    assert findings["private namespaces"].present is False
    assert findings["veth"].present is None
    capability = next(c for c in ALL if c.name == "private namespaces")
    assert capability.with_finding(findings["private namespaces"]).get.startswith("sysctl -w")


def test_missing_names_what_is_not_there(monkeypatch):
    monkeypatch.setattr(doctor, "_examined", lambda: tuple(found(netem=False, IPv6=None)))
    assert [c.name for c in doctor.missing(["netem", "veth", "IPv6"])] == ["netem", "IPv6"]
    assert doctor.missing([]) == []
    with pytest.raises(ValueError, match="no such capability: nettem"):
        doctor.missing(["nettem"])


def test_a_refusal_is_a_finding():
    def refused():
        raise PermissionError(1, "Operation not permitted")

    def unknown():
        raise FileNotFoundError(2, "No such file or directory")

    def broken():
        raise KeyError("oops")

    assert tried(refused) == Finding(False, "Operation not permitted")
    assert tried(unknown) == Finding(False, "this kernel does not have it (No such file or directory)")
    assert tried(broken).present is None
    assert tried(lambda: "was there") == Finding(True, "was there")


def test_a_child_that_breaks_off_loses_only_the_rest():
    def checks():
        yield "first", Finding(True, "fine")
        os._exit(1)

    with findings_of(checks) as findings:
        assert findings() == {"first": Finding(True, "fine")}


def test_a_child_that_hangs_is_ended(monkeypatch):
    monkeypatch.setattr(child, "_LIMIT_S", 0.05)

    def checks():
        yield "first", Finding(False, "no")
        time.sleep(60)

    began, others = time.monotonic(), children()
    with findings_of(checks) as findings:
        assert findings() == {"first": Finding(False, "no")}
    assert time.monotonic() - began < 5
    assert children() == others


def test_attributes_are_padded_and_nested():
    assert netlink.attribute(1, "lo") == b"\x07\x00\x01\x00lo\x00\x00"
    assert netlink.nest(2, netlink.attribute(1, b"abcd")) == b"\x0c\x00\x02\x80\x08\x00\x01\x00abcd"


def test_the_table_fits_eighty_columns_and_tells_what_is_lost():
    out = io.StringIO()
    write_table(found(netem=False, tracefs=False, conntrack=None), out, width=80)
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    text = " ".join(" ".join(lines).split())
    assert "netem no as found" in text and "conntrack ? as found" in text
    assert "CONFIG_NET_SCH_NETEM" in text and "expire-nat" in text
    assert lines[-1].rstrip() == "This machine can run the lab, without conntrack, netem, tracefs."


def test_the_summary_weighs_what_is_required():
    assert summary(found()) == "This machine can run everything."
    assert summary(found(veth=False, netem=False)) == "This machine cannot run the lab: veth missing."


def test_json_is_one_object_a_line():
    lines = [json.loads(line) for line in json_lines(found(netem=False)).splitlines()]
    assert len(lines) == len(ALL)
    netem = next(line for line in lines if line["name"] == "netem")
    assert netem["present"] is False and set(netem) == {"name", "present", "how", "lost", "get", "required"}
