import errno
import os
import signal
import struct

import pytest

from harness.observe import pcap
from harness.observe.pcap import PcapWriter

NS = 1_795_229_726_891_762_975


def read_pcapng(path):
    """A small reader of its own: (interface names, packets as (interface, ns, data, length, flags), statistics)."""
    data, start, names, packets, statistics = path.read_bytes(), 0, [], [], {}
    while start < len(data):
        kind, size = struct.unpack_from("<II", data, start)
        assert size % 4 == 0 and struct.unpack_from("<I", data, start + size - 4) == (size,)
        body = data[start + 8 : start + size - 4]
        if kind == 0x0A0D0D0A:
            assert start == 0 and struct.unpack_from("<IHHq", body) == (0x1A2B3C4D, 1, 0, -1)
        elif kind == 1:
            assert struct.unpack_from("<HHI", body) == (1, 0, 256)
            options = read_options(body[8:])
            assert options[9] == b"\x09"
            names.append(options[2].decode())
        elif kind == 6:
            interface, high, low, captured, length = struct.unpack_from("<IIIII", body)
            assert interface < len(names)
            options = read_options(body[20 + captured + -captured % 4 :])
            flags = struct.unpack("<I", options[2])[0]
            packets.append((interface, high << 32 | low, body[20 : 20 + captured], length, flags))
        elif kind == 5:
            statistics[struct.unpack_from("<I", body)[0]] = {
                code: struct.unpack("<Q", value)[0] for code, value in read_options(body[12:]).items()
            }
        else:
            raise AssertionError(f"block {kind}")
        start += size
    return names, packets, statistics


def read_options(data):
    options, start = {}, 0
    while True:
        code, size = struct.unpack_from("<HH", data, start)
        if code == 0:
            assert start + 4 == len(data)
            return options
        options[code] = data[start + 4 : start + 4 + size]
        start += 4 + size + -size % 4


def test_everything_can_be_read_again(tmp_path):
    path = tmp_path / "router.pcapng"
    with PcapWriter(path, ["r-client", "r-server"]) as writer:
        writer.packet(b"abcde", NS, "r-client", False)
        writer.packet(b"abcdefgh", NS + 1, "r-server", True)
        writer.packet(bytes(256), NS + 2, "r-server", True, length=65000)
        writer.statistics("r-server", 12, 3)
    assert read_pcapng(path) == (
        ["r-client", "r-server"],
        [(0, NS, b"abcde", 5, 1), (1, NS + 1, b"abcdefgh", 8, 2), (1, NS + 2, bytes(256), 65000, 2)],
        {1: {4: 12, 5: 3}},
    )


def test_a_device_not_announced_is_described_before_its_first_packet(tmp_path):
    path = tmp_path / "router.pcapng"
    with PcapWriter(path) as writer:
        writer.packet(b"abcd", NS, "r-client", False)
    assert read_pcapng(path)[0] == ["r-client"]


def test_longer_frames_are_cut_to_the_snap_length(tmp_path):
    path = tmp_path / "router.pcapng"
    with PcapWriter(path, ["r-client"]) as writer:
        writer.packet(bytes(1514), NS, "r-client", False)
    assert [(len(data), length) for _, _, data, length, _ in read_pcapng(path)[1]] == [(256, 1514)]


def test_a_killed_program_leaves_a_file_that_can_be_read(tmp_path):
    path = tmp_path / "router.pcapng"
    child = os.fork()
    if child == 0:
        writer = PcapWriter(path, ["r-client"])
        for number in range(3):
            writer.packet(bytes([number]) * 60, NS, "r-client", False)
            writer.flush()
        writer.packet(bytes(60), NS, "r-client", False)
        os.kill(os.getpid(), signal.SIGKILL)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert [data[0] for _, _, data, _, _ in read_pcapng(path)[1]] == [0, 1, 2]


def test_a_full_disk_ends_the_file_and_nothing_else(tmp_path, monkeypatch):
    def full(fd, data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with PcapWriter(tmp_path / "router.pcapng", ["r-client"]) as writer:
        monkeypatch.setattr(pcap.os, "write", full)
        for _ in range(3000):
            writer.packet(bytes(60), NS, "r-client", False)
        assert writer.failed == "No space left on device"
        monkeypatch.undo()
    assert read_pcapng(tmp_path / "router.pcapng")[1] == []


def test_a_write_done_in_part_is_carried_on(tmp_path, monkeypatch):
    write, path = os.write, tmp_path / "router.pcapng"
    with PcapWriter(path, ["r-client"]) as writer:
        monkeypatch.setattr(pcap.os, "write", lambda fd, data: write(fd, bytes(data[:7])))
        writer.packet(bytes(60), NS, "r-client", False)
        writer.flush()
        monkeypatch.undo()
    assert len(read_pcapng(path)[1]) == 1


def test_an_older_file_is_not_overwritten(tmp_path):
    (tmp_path / "router.pcapng").write_text("mine")
    with pytest.raises(FileExistsError):
        PcapWriter(tmp_path / "router.pcapng")


def test_closing_twice_does_no_harm(tmp_path):
    writer = PcapWriter(tmp_path / "router.pcapng")
    writer.close()
    writer.close()
