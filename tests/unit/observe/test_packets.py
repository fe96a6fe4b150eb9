import pytest
from frames import ACK, FIN, MACS, PSH, RST, SYN, ethernet, icmp, ipv4, ipv6, tcp
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.observe.packets import decode

C4, S4, R4 = "198.18.1.2", "198.18.2.2", "198.18.1.1"
C6, S6, R6 = "2001:db8:1::2", "2001:db8:2::2", "2001:db8:1::1"


def seen(ip):
    return decode(ethernet(ip), 12.5, "r-client", False)


def test_ipv4_segment_is_read_whole():
    packet = seen(ipv4(C4, S4, tcp(40000, 7000, 0xFFFFFFFF, 5, PSH | ACK, 1024, data=b"hello")))
    assert (packet.at, packet.device, packet.outgoing, packet.ipv) == (12.5, "r-client", False, 4)
    assert (packet.src, packet.dst, packet.sport, packet.dport) == (C4, S4, 40000, 7000)
    assert (packet.seq, packet.ack, packet.flags, packet.window, packet.payload) == (0xFFFFFFFF, 5, "PA", 1024, 5)
    assert packet.icmp is None


def test_options_are_not_payload():
    assert seen(ipv4(C4, S4, tcp(1, 2, 3, options=bytes(12), data=b"xy"), options=bytes(8))).payload == 2


@pytest.mark.parametrize(
    ("bits", "spelt"),
    [(SYN, "S"), (SYN | ACK, "SA"), (ACK, "."), (FIN | ACK, "FA"), (RST, "R"), (RST | ACK, "RA"), (0, "")],
)
def test_flags_are_spelt(bits, spelt):
    assert seen(ipv4(C4, S4, tcp(1, 2, 3, flags=bits))).flags == spelt


def test_ecn_bits_do_not_hide_a_syn():
    assert seen(ipv4(C4, S4, tcp(1, 2, 3, flags=SYN | 0x40 | 0x80))).flags == "S"


def test_a_frame_padded_to_the_ethernet_minimum_carries_no_data():
    frame = ethernet(ipv4(C4, S4, tcp(1, 2, 3))) + bytes(6)
    assert decode(frame, 0, "r-client", True).payload == 0


def test_a_frame_cut_short_still_tells_its_length():
    frame = ethernet(ipv4(C4, S4, tcp(1, 2, 3, data=bytes(1400))))[:256]
    assert decode(frame, 0, "r-client", True).payload == 1400


def test_ipv6_segment_behind_extension_headers():
    behind = bytes([60, 0]) + bytes(6) + bytes([6, 1]) + bytes(14) + tcp(40000, 7000, 9, data=b"abc")
    packet = seen(ipv6(C6, S6, behind, protocol=0))
    assert (packet.ipv, packet.src, packet.dst, packet.sport, packet.payload) == (6, C6, S6, 40000, 3)


def test_ipv6_jumbogram_of_the_kernel_takes_its_length_from_the_frame():
    assert seen(ipv6(C6, S6, tcp(1, 2, 3, data=bytes(300)), length=0)).payload == 300


@pytest.mark.parametrize(
    ("kind", "code", "words"),
    [(3, 0, "net unreachable"), (3, 1, "host unreachable"), (3, 13, "admin prohibited"), (11, 0, "time exceeded")],
)
def test_icmp_error_names_the_flow_that_it_is_about(kind, code, words):
    # Eight bytes of the segment is all that a router has to quote.
    quoted = ipv4(C4, S4, tcp(40000, 7000, 77))[:28]
    packet = seen(ipv4(R4, C4, icmp(kind, code, 0, quoted), protocol=1))
    assert (packet.icmp, packet.icmp_sport, packet.icmp_dport, packet.icmp_seq) == (words, 40000, 7000, 77)
    assert (packet.src, packet.sport, packet.dport, packet.payload, packet.mtu) == (R4, 0, 0, 0, 0)


def test_needs_fragmentation_says_how_small():
    # RFC 1191: the word's lower half; the upper is unused and may hold anything.
    quoted = ipv4(C4, S4, tcp(40000, 7000, 77))
    packet = seen(ipv4(R4, C4, icmp(3, 4, 0xABCD_0000 | 1300, quoted), protocol=1))
    assert (packet.icmp, packet.mtu) == ("needs fragmentation", 1300)


@pytest.mark.parametrize(
    ("kind", "code", "word", "words", "mtu"),
    [
        (1, 0, 0, "net unreachable", 0),
        (1, 1, 0, "admin prohibited", 0),
        (1, 3, 0, "host unreachable", 0),
        (2, 0, 1280, "needs fragmentation", 1280),
    ],
)
def test_icmpv6_errors_use_the_same_words(kind, code, word, words, mtu):
    quoted = ipv6(C6, S6, tcp(40000, 7000, 77))
    packet = seen(ipv6(R6, C6, icmp(kind, code, word, quoted), protocol=58))
    assert (packet.icmp, packet.icmp_sport, packet.icmp_dport, packet.mtu) == (words, 40000, 7000, mtu)


@pytest.mark.parametrize(
    "frame",
    [
        ethernet(ipv4(C4, S4, bytes(20), protocol=17)),
        ethernet(ipv4(C4, S4, tcp(1, 2, 3), fragment=0x0010)),
        ethernet(ipv4(C4, S4, icmp(8, 0, 0, b""), protocol=1)),
        ethernet(ipv4(R4, C4, icmp(3, 1, 0, ipv4(C4, S4, bytes(8), protocol=17)), protocol=1)),
        ethernet(ipv6(C6, S6, icmp(135, 0, 0, bytes(16)), protocol=58)),
        ethernet(ipv6(C6, S6, bytes([6, 0, 0, 8]) + bytes(4) + tcp(1, 2, 3), protocol=44)),
        MACS + b"\x08\x06" + bytes(28),
        b"",
    ],
    ids=["udp", "later fragment", "echo", "about udp", "neighbour", "later ipv6 fragment", "arp", "nothing"],
)
def test_what_does_not_concern_tcp_is_nothing(frame):
    assert decode(frame, 0, "r-client", False) is None


def test_no_cut_makes_it_raise():
    frames = [
        ethernet(ipv4(R4, C4, icmp(3, 1, 0, ipv4(C4, S4, tcp(1, 2, 3))), protocol=1)),
        ethernet(ipv6(C6, S6, bytes([6, 1]) + bytes(14) + tcp(1, 2, 3), protocol=0)),
    ]
    for frame in frames:
        assert decode(frame, 0, "r-client", False) is not None
        for length in range(34):
            assert decode(frame[:length], 0, "r-client", False) is None


@settings(max_examples=60, deadline=None, database=None)
@given(st.binary(max_size=120), st.sampled_from([b"\x08\x00\x45", b"\x86\xdd\x60", b""]))
def test_no_noise_makes_it_raise(noise, kind):
    decode(bytes(12) + kind + noise, 0, "r-client", False)
