import os
import threading

import pytest

from harness.endpoints import wire

MESSAGE = {"id": 1, "do": "ping", "conn": "c0", "text": "é\n", "none": None}


def test_a_message_is_one_line_and_comes_back():
    packed = wire.pack(MESSAGE)
    assert packed.count(b"\n") == 1 and packed.endswith(b"\n")
    assert wire.unpack(packed) == MESSAGE


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_lines_come_whole_however_the_bytes_arrive(size):
    data = b"".join(wire.pack({"n": n}) for n in range(5))
    lines = wire.Lines()
    found = [line for start in range(0, len(data), size) for line in lines.feed(data[start : start + size])]
    assert [wire.unpack(line)["n"] for line in found] == [0, 1, 2, 3, 4]


def test_empty_lines_are_passed_over_and_what_has_no_end_waits():
    lines = wire.Lines()
    assert list(lines.feed(b"\n\nab")) == []
    assert list(lines.feed(b"c\n")) == [b"abc"]


def test_everything_is_written_also_where_the_pipe_takes_less_at_a_time():
    source, sink = os.pipe()
    data = os.urandom(300_000)  # a pipe holds 64 KiB: pipe(7)
    got = []

    def drain():
        while piece := wire.read(source):
            got.append(piece)

    reader = threading.Thread(target=drain)
    reader.start()
    wire.write_all(sink, data)
    os.close(sink)
    reader.join()
    os.close(source)
    assert b"".join(got) == data


def test_nothing_yet_is_not_the_end():
    source, sink = os.pipe()
    os.set_blocking(source, False)
    with pytest.raises(BlockingIOError):
        wire.read(source)
    os.close(sink)
    assert wire.read(source) == b""
    os.close(source)
