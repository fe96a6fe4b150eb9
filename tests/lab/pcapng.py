"""Reads a pcapng file (draft-ietf-opsawg-pcapng) with no help from what wrote it."""

import struct
from pathlib import Path
from typing import NamedTuple

_SECTION, _INTERFACE, _PACKET = 0x0A0D0D0A, 1, 6
_MAGIC = 0x1A2B3C4D
_LEAST = 12  # type, length, length


class Content(NamedTuple):
    interfaces: int
    packets: list[bytes]


def read(file: Path) -> Content:
    """Walk the blocks. Anything that is not as the format says is an error, a last block that is cut short too."""
    data = file.read_bytes()
    kinds, interfaces, packets, at = [], 0, [], 0
    while at < len(data):
        kind, length = struct.unpack_from("=II", data, at)
        assert length >= _LEAST and length % 4 == 0, (at, length)
        assert struct.unpack_from("=I", data, at + length - 4)[0] == length, "the lengths of a block differ"
        if kind == _SECTION:
            assert struct.unpack_from("=I", data, at + 8)[0] == _MAGIC
        elif kind == _INTERFACE:
            interfaces += 1
        elif kind == _PACKET:
            interface, _, _, captured, original = struct.unpack_from("=IIIII", data, at + 8)
            assert interface < interfaces and captured <= original
            packets.append(data[at + 28 : at + 28 + captured])
        kinds.append(kind)
        at += length
    assert at == len(data) and kinds[0] == _SECTION and kinds.count(_SECTION) == 1
    return Content(interfaces, packets)
