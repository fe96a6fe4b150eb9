"""Undoing as data, the lease, and how a guard is detached where systemd runs."""

import errno
import os

import pytest

from harness.endpoints import guard, netlink
from harness.endpoints.lease import Expired, Lease
from harness.endpoints.loop import Loop, now
from harness.endpoints.undo import check, perform


def test_each_is_done_whatever_became_of_those_before_it(tmp_path):
    file = tmp_path / "file"
    file.write_text("fault")
    missing, folder = ({"write": {"path": str(path), "text": ""}} for path in (tmp_path / "missing", tmp_path))
    before = now()
    done = perform([missing, folder, {"write": {"path": str(file), "text": "whole"}}])
    assert file.read_text() == "whole"
    assert before <= done["before"] <= done["after"] <= now()
    assert (done["errno"], done["text"]) == (errno.EISDIR, os.strerror(errno.EISDIR))


def test_what_is_not_there_is_undone_already(tmp_path):
    assert perform([{"write": {"path": str(tmp_path / "missing"), "text": ""}}])["errno"] == 0
    assert not (tmp_path / "missing").exists()
    assert perform([])["errno"] == 0


@pytest.mark.parametrize(
    "action",
    [
        {},
        {"write": {}},
        {"write": {"path": "/x", "text": 1}},
        {"netlink": {"protocol": 0, "data": "not base64!"}},
        {"netlink": {"protocol": "0", "data": ""}},
        {"run": "rm"},
    ],
)
def test_an_undoing_that_could_not_be_done_is_not_promised(action):
    with pytest.raises((ValueError, LookupError)):
        check([{"write": {"path": "/x", "text": "1"}}, action])


def test_the_kernels_words_belong_to_a_refusal():
    # NLMSG_ERROR, capped and with attributes: errno, the request's header, NLMSGERR_ATTR_MSG
    said = b"\x12\0\1\0Chain is busy\0\0\0"
    data = netlink._HEADER.pack(36 + len(said), 2, 0x300, 7, 0) + (-16).to_bytes(4, "little", signed=True)
    message = next(netlink._split(data + bytes(16) + said))
    assert (message.number(), message.sequence) == (errno.EBUSY, 7)
    assert netlink._words(message) == os.strerror(errno.EBUSY) + ": Chain is busy"


def test_bytes_that_are_no_messages_end():
    assert len(list(netlink._split(bytes(64)))) == 4
    assert list(netlink._split(b"\1")) == []
    assert list(netlink.attributes(bytes(8), 0)) == []


def test_a_lease_runs_out_after_the_last_renewal():
    loop = Loop()
    began = now()
    lease = Lease(loop, loop.stop)
    lease.set(20_000_000)
    loop.at(began + 10_000_000, lease.renew)
    loop.run()
    loop.close()
    assert now() - began >= 30_000_000


def test_a_lease_that_is_set_anew_forgets_the_old_one():
    loop = Loop()
    began = now()
    lease = Lease(loop, loop.stop)
    lease.set(5_000_000_000)
    lease.set(0)
    lease.set(10_000_000)
    loop.run()
    loop.close()
    assert 10_000_000 <= now() - began < 4_000_000_000


def test_nobody_is_written_to_for_longer_than_the_lease():
    reading, writing = os.pipe()
    loop = Loop()
    lease = Lease(loop, loop.stop)
    lease.set(10_000_000)
    lease.write(writing, b"0123456789" * 2000)
    assert os.read(reading, 100_000) == b"0123456789" * 2000
    with pytest.raises(Expired):
        lease.write(writing, bytes(1 << 20))
    loop.close()
    os.close(reading)
    os.close(writing)


def test_systemd_is_asked_for_a_scope_that_no_logout_ends():
    command = guard.scope("halfopen-undo-1")
    assert command[0] == "systemd-run" and command[-1] == "--"
    assert {"--system", "--scope", "--collect", "--unit=halfopen-undo-1"} <= set(command)
    assert not any(set("$% ") & set(word) for word in command)
