"""Which packets are about a watched port, by the program and by the kernel's filter."""

import struct

import pytest

from harness.endpoints.flows import concerns, program

IP4, IP6, ARP = 0x0800, 0x86DD, 0x0806
PORTS = {443}


def tcp(source, target):
    return struct.pack("!HH", source, target) + bytes(16)


def ip4(protocol, payload, fragment=0, options=0):
    return (
        struct.pack("!BxHxxHxB2x8x", 0x45 + options, 20 + len(payload), fragment, protocol)
        + bytes(4 * options)
        + payload
    )


def ip6(protocol, payload):
    return struct.pack("!IHBB32x", 6 << 28, len(payload), protocol, 64) + payload


def icmp(kind, quoted):
    return bytes([kind]) + bytes(7) + quoted


PACKETS = [
    (ip4(6, tcp(443, 9)), IP4, True),
    (ip4(6, tcp(9, 443), options=3), IP4, True),
    (ip4(6, tcp(9, 10)), IP4, False),
    (ip4(17, tcp(9, 443)), IP4, False),
    (ip4(6, tcp(9, 443), fragment=0x2000), IP4, True),  # the first of several fragments
    (ip4(6, tcp(9, 443), fragment=0x0001), IP4, False),
    (ip4(6, tcp(9, 443), fragment=0x0100), IP4, False),
    (ip4(6, b"\1"), IP4, False),
    (b"", IP4, False),
    (ip6(6, tcp(443, 9)), IP6, True),
    (ip6(6, tcp(10, 9)), IP6, False),
    (ip6(6, tcp(443, 9)), ARP, False),
    (ip4(1, icmp(3, ip4(6, tcp(9, 443)))), IP4, True),
    (ip4(1, icmp(3, ip4(6, tcp(9, 443)[:8]))), IP4, True),  # as little as RFC 792 quotes
    (ip4(1, icmp(3, ip4(17, tcp(9, 443)))), IP4, False),
    (ip4(1, icmp(3, ip4(6, tcp(9, 10)))), IP4, False),
    (ip4(1, icmp(8, ip4(6, tcp(9, 443)))), IP4, False),  # an echo request quotes nothing
    (ip4(1, b""), IP4, False),
    (ip6(58, icmp(2, ip6(6, tcp(9, 443)))), IP6, True),
    (ip6(58, icmp(135, ip6(6, tcp(9, 443)))), IP6, False),
]


@pytest.mark.parametrize(("packet", "protocol", "expected"), PACKETS)
def test_what_concerns_a_port(packet, protocol, expected):
    assert concerns(packet, protocol, PORTS) is expected


@pytest.mark.parametrize("count", [0, 1, 2, 500, 501, 60_000])
@pytest.mark.parametrize("link", [0, 14])
def test_the_filter_is_one_that_the_kernel_takes(count, link):
    # net/core/filter.c, bpf_check_classic: at most 4096 instructions, no jump out of them, a return at the end.
    made = program(range(1, count + 1), link)
    assert len(made) <= 4096 and made[-1][0] == 6
    for index, (code, yes, no, operand) in enumerate(made):
        assert 0 <= yes < 256 and 0 <= no < 256
        furthest = index + 1 + (operand if code == 5 else max(yes, no))
        assert code == 6 or furthest < len(made)


def run(filter_, packet, protocol):
    """Return whether a packet passes the filter: as much of a classic BPF machine as it needs."""
    accumulator = index = at = 0
    while True:
        code, yes, no, operand = filter_[at]
        at += 1
        if code == 0x06:
            return operand > 0
        if code in (0x28, 0x30, 0x48):
            size = 1 if code == 0x30 else 2
            start = operand + (index if code == 0x48 else 0)
            if operand == 0xFFFFF000:
                accumulator = protocol
            elif start + size > len(packet):
                return False
            else:
                accumulator = int.from_bytes(packet[start : start + size], "big")
        elif code == 0xB1:
            index = 4 * (packet[operand] & 15)
        elif code == 0x05:
            at += operand
        else:
            is_so = {0x15: accumulator == operand, 0x25: accumulator > operand, 0x45: accumulator & operand > 0}[code]
            at += yes if is_so else no


@pytest.mark.parametrize(("packet", "protocol", "expected"), PACKETS)
@pytest.mark.parametrize("link", [0, 14])
def test_the_kernel_lets_through_what_concerns_a_port_and_no_other_tcp(packet, protocol, expected, link):
    passes = run(program([*range(1000, 1200), *PORTS], link), bytes(link) + packet, protocol)
    # What an ICMP error quotes is looked at by the program only.
    is_icmp = (protocol == IP4 and packet[9:10] == b"\1") or (protocol == IP6 and packet[6:7] == b"\x3a")
    assert passes >= expected
    assert is_icmp or passes == expected
    assert not run(program([], link), bytes(link) + packet, protocol)


def test_the_kernel_keeps_the_questions_of_icmpv6_to_itself():
    neighbour, unreachable = ip6(58, icmp(135, b"")), ip6(58, icmp(1, b""))
    assert [run(program(PORTS, 0), packet, IP6) for packet in (neighbour, unreachable)] == [False, True]
