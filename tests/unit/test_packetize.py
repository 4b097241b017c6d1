from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.depacketize import depacketizer
from sfu.media import Codec
from sfu.packetize import H264Packetizer, OpusPacketizer, nal_units

SPS = bytes.fromhex("6742c01fda014016e9a80808083c58ba80")
PPS = bytes.fromhex("68ce3c80")


def annex_b(*units: bytes) -> bytes:
    return b"".join(b"\x00\x00\x00\x01" + unit for unit in units)


def test_nal_units_of_both_start_codes() -> None:
    assert nal_units(b"\x00\x00\x00\x01" + SPS + b"\x00\x00\x01" + PPS + b"\x00\x00\x00\x01\x65\x01") == [
        SPS, PPS, b"\x65\x01",
    ]  # fmt: skip
    assert nal_units(b"") == []
    assert nal_units(b"no start code") == []
    assert nal_units(b"\x00\x00\x01") == []


def test_small_units_share_a_packet_and_the_delimiter_goes() -> None:
    (packet,) = H264Packetizer(7).packetize([b"\x09\xf0", SPS, PPS, b"\x65\x11\x22", b"\x0c\xff"], 90_000)
    assert (packet.sequence, packet.timestamp, packet.marker) == (7, 90_000, True)
    sizes = b"".join(len(u).to_bytes(2, "big") + u for u in (SPS, PPS, b"\x65\x11\x22"))
    assert packet.payload == bytes((0x78,)) + sizes
    (alone,) = H264Packetizer().packetize([b"\x41\x9a"], 0)
    assert alone.payload == b"\x41\x9a"
    assert H264Packetizer().packetize([b"\x09\xf0"], 0) == []


def test_large_units_are_cut_evenly() -> None:
    unit = b"\x65" + bytes(range(256)) * 10
    packets = H264Packetizer(65_535, 1000).packetize([unit], 2**32 + 5)
    assert [p.sequence for p in packets] == [65_535, 0, 1]
    assert {p.timestamp for p in packets} == {5}
    assert [p.marker for p in packets] == [False, False, True]
    assert [len(p.payload) for p in packets] == [856, 856, 854]
    assert [p.payload[:2] for p in packets] == [b"\x7c\x85", b"\x7c\x05", b"\x7c\x45"]
    assert b"".join(p.payload[2:] for p in packets) == unit[1:]
    with pytest.raises(ValueError, match="too small"):
        H264Packetizer(0, 10)


@given(
    st.lists(st.integers(2, 5000), min_size=1, max_size=6),
    st.sampled_from([0, 2**15, 2**16 - 2]),
    st.sampled_from([0, 2**31 - 3000, 2**32 - 3000]),
    st.integers(64, 1400),
)
def test_what_goes_in_comes_out_of_the_depacketiser(sizes: list[int], seq: int, rtp: int, limit: int) -> None:
    packetizer = H264Packetizer(seq, limit)
    depacketize = depacketizer(Codec("H264", 90_000))
    got, want = [], []
    for n in range(4):
        slices = [bytes((0x65 if n == 0 else 0x41,)) + b"\x88" * (size - 1) for size in sizes]
        units = ([SPS, PPS] if n == 0 else []) + slices
        packets = packetizer.packetize(annex_b(*units), rtp + 3000 * n)
        assert all(len(p.payload) <= limit for p in packets)
        got += depacketize.push(packets, 1000 * n)
        want.append(units)
    got += depacketize.flush()
    assert [nal_units(unit.data) for unit in got] == want
    assert [unit.rtp_time for unit in got] == [rtp + 3000 * n for n in range(4)]
    assert not any(unit.lost_before for unit in got)


def test_opus() -> None:
    packetizer = OpusPacketizer(65_535)
    packets = [packetizer.packetize(bytes((n,)), 2**32 - 960 + 960 * n) for n in range(3)]
    assert [(p.sequence, p.timestamp, p.marker) for p in packets] == [
        (65_535, 2**32 - 960, True), (0, 0, False), (1, 960, False),
    ]  # fmt: skip
    assert packetizer.packetize(b"x", 0, talk_spurt=True).marker
