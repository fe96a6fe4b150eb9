"""The tc-u32 filters of a fault: every byte of the headers that tells the connection is looked at, zeros and all."""

import socket
import struct

from netns import clsact
from netns.edge import Ends, Loss

V4 = Ends(4, ("0.18.1.3", 7000), ("198.18.1.2", 40_000))
V6 = Ends(6, ("2001:db8::3", 7000), ("2001:db8:1::2", 40_000))
ARRIVING, LEAVING = Loss(arriving=True, leaving=False), Loss(arriving=False, leaving=True)
_TCA_OPTIONS, _TCA_U32_SEL = 2, 5


def attribute(data, wanted):
    """Return one of the attributes in ``data`` (struct nlattr: length, type, value)."""
    while data:
        length, kind = struct.unpack_from("=HH", data)
        if kind & 0x7FFF == wanted:
            return data[4:length]
        data = data[(length + 3) & ~3 :]
    raise AssertionError(f"no attribute {wanted}")


def looked_at(ends, loss):
    """Return the bytes of the IP packet that the filter compares, by their offset; each must be compared whole."""
    message = clsact.drop(7, 4001, ends, loss).do.data
    selector = attribute(attribute(message[16 + 20 :], _TCA_OPTIONS), _TCA_U32_SEL)
    found = {}
    for number in range(selector[2]):  # struct tc_u32_sel: 16 bytes, then its keys
        key = selector[16 + 16 * number :][:16]
        (offset,) = struct.unpack_from("=i", key, 8)
        for place, (mask, value) in enumerate(zip(key[:4], key[4:8], strict=True)):
            assert mask in (0, 0xFF)
            if mask:
                found[offset + place] = value
    return found


def at(offset, data):
    return {offset + place: value for place, value in enumerate(data)}


def test_ipv4_is_told_by_protocol_addresses_and_ports():
    addresses = socket.inet_aton("198.18.1.2") + socket.inet_aton("0.18.1.3")
    ports = struct.pack("!HH", 40_000, 7000)
    assert looked_at(V4, ARRIVING) == {9: 6, **at(12, addresses), **at(20, ports)}


def test_ipv6_is_told_by_protocol_addresses_and_ports():
    addresses = b"".join(socket.inet_pton(socket.AF_INET6, each) for each in ("2001:db8:1::2", "2001:db8::3"))
    assert looked_at(V6, ARRIVING) == {6: 6, **at(8, addresses), **at(40, struct.pack("!HH", 40_000, 7000))}


def test_what_leaves_is_told_the_other_way_round():
    addresses = socket.inet_aton("0.18.1.3") + socket.inet_aton("198.18.1.2")
    assert looked_at(V4, LEAVING) == {9: 6, **at(12, addresses), **at(20, struct.pack("!HH", 7000, 40_000))}
