from __future__ import annotations

import random
from fractions import Fraction

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfu.depacketize import UnsupportedCodec, depacketizer
from sfu.depacketize.h264 import parse_sps, split_annex_b
from sfu.depacketize.reorder import ReorderBuffer
from sfu.depacketize.unwrap import Unwrapper
from sfu.media import Codec, RtpPacket
from tests.generated import ordinary_priority
from tests.packetize import av1_payloads, h264_payloads, rtp, vp8_payloads, vp9_payloads

CODECS = {
    "H264": ("libx264", {"preset": "ultrafast", "tune": "zerolatency", "x264-params": "slices=2:keyint=15"}),
    "VP8": ("libvpx", {"deadline": "realtime", "cpu-used": "8", "g": "15", "lag-in-frames": "0"}),
    "VP9": ("libvpx-vp9", {"deadline": "realtime", "cpu-used": "8", "g": "15", "lag-in-frames": "0"}),
    "AV1": ("libsvtav1", {"preset": "12", "svtav1-params": "pred-struct=1:rc=2:keyint=15:lp=1"}),
}


def encode(name: str, frames: int = 40, width: int = 322, height: int = 182) -> list[bytes]:
    encoder, options = CODECS[name]
    ctx = av.CodecContext.create(encoder, "w")
    ctx.width, ctx.height, ctx.pix_fmt = width, height, "yuv420p"
    ctx.time_base, ctx.framerate = Fraction(1, 30), Fraction(30)
    ctx.bit_rate = 3_000_000
    ctx.options = options
    rng = np.random.default_rng(1)
    noise = rng.integers(0, 255, (height, width + frames * 4, 3), dtype=np.uint8)
    packets = []
    with ordinary_priority():
        for index in range(frames):
            picture = np.ascontiguousarray(noise[:, index * 4 : index * 4 + width])
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = index, Fraction(1, 30)
            packets += ctx.encode(frame)
        packets += ctx.encode(None)
    return [bytes(p) for p in packets]


_encoded: dict[str, list[bytes]] = {}


def encoded(name: str) -> list[bytes]:
    if name not in _encoded:
        _encoded[name] = encode(name)
    return _encoded[name]


def packets_of(name: str, units: list[bytes], sequence: int = 0, timestamp: int = 0) -> list[list[RtpPacket]]:
    out = []
    for index, unit in enumerate(units):
        match name:
            case "H264":
                payloads = h264_payloads(unit)
            case "VP8":
                payloads = vp8_payloads(unit, index)
            case "VP9":
                payloads = vp9_payloads(unit, index, index % 15 == 0)
            case _:
                payloads = av1_payloads(unit)
        frame = rtp(payloads, sequence, timestamp + 3000 * index, arrival_us=33_333 * index)
        sequence += len(frame)
        out.append(frame)
    return out


def decode(name: str, units: list[bytes]) -> list[np.ndarray]:
    decoder = {"H264": "h264", "VP8": "vp8", "VP9": "vp9", "AV1": "libdav1d"}[name]
    ctx = av.CodecContext.create(decoder, "r")
    ctx.thread_count = 1
    frames = []
    for unit in units:
        frames += ctx.decode(av.Packet(unit))
    frames += ctx.decode(None)
    return [f.to_ndarray(format="gray8") for f in frames if isinstance(f, av.VideoFrame)]


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize("start", [0, 2**15 - 3, 2**16 - 3])
def test_frames_survive_the_round_trip(name: str, start: int) -> None:
    units = encoded(name)
    machine = depacketizer(Codec(name, 90000))
    got = []
    for frame in packets_of(name, units, start, 2**32 - 40_000):
        got += machine.push(frame, frame[-1].arrival_us)
    assert [u.rtp_time - 2**32 + 40_000 for u in got] == [3000 * i for i in range(len(units))]
    assert not any(u.lost_before for u in got)
    assert (got[0].keyframe, got[0].width, got[0].height) == (True, 322, 182)
    assert [u.keyframe for u in got].count(True) >= 3
    assert not got[1].keyframe
    assert got[7].arrival_us == 33_333 * 7
    want = decode(name, units)
    have = decode(name, [u.data for u in got])
    assert len(want) == len(have) == len(units)
    assert all(np.array_equal(a, b) for a, b in zip(want, have, strict=True))


@pytest.mark.parametrize("name", CODECS)
def test_reordered_and_repeated_packets(name: str) -> None:
    rng = random.Random(3)
    flat = [p for frame in packets_of(name, encoded(name), 65_500) for p in frame]
    order = sorted(range(len(flat)), key=lambda i: i + rng.uniform(0, 6))
    machine = depacketizer(Codec(name, 90000))
    got = []
    for i in order:
        repeats = 2 if rng.random() < 0.1 else 1
        # The first packet must be first: what lies before the first one seen is not waited for.
        got += machine.push([flat[i]] * repeats, 1000)
    got += machine.flush()
    assert len(got) >= len(encoded(name)) - 1
    assert not any(u.lost_before for u in got[1:])


@pytest.mark.parametrize("name", CODECS)
def test_every_single_lost_packet_is_noticed_and_never_decoded_around(name: str) -> None:
    frames = packets_of(name, encoded(name))
    flat = [p for frame in frames for p in frame]
    whole = {u.rtp_time: u.data for u in run(name, flat)}
    for missing in range(1, len(flat) - 1, max(1, len(flat) // 60)):
        got = run(name, flat[:missing] + flat[missing + 1 :])
        assert len(got) == len(frames) - 1
        assert sum(u.lost_before for u in got) == 1 or flat[missing].timestamp == flat[-1].timestamp
        assert all(whole[u.rtp_time] == u.data for u in got)


def run(name: str, packets: list[RtpPacket]) -> list:
    machine = depacketizer(Codec(name, 90000))
    out = []
    for i, packet in enumerate(packets):
        out += machine.push([packet], i * 10_000)
    return out + machine.push([], 10**9)


def test_a_gap_is_waited_for_only_so_long() -> None:
    buffer = ReorderBuffer(max_wait_us=100_000)
    p = [RtpPacket(i, 0, False, b"x") for i in range(6)]
    assert [o.packet.sequence for o in buffer.push([p[0], p[2]], 0)] == [0]
    assert buffer.next_deadline_us == 100_000
    assert buffer.push([p[3]], 99_999) == []
    assert [(o.packet.sequence, o.lost) for o in buffer.push([], 100_000)] == [(2, 1), (3, 0)]
    assert buffer.next_deadline_us is None
    assert buffer.push([p[1]], 100_001) == []
    assert (buffer.late, buffer.lost) == (1, 1)
    assert [o.packet.sequence for o in buffer.push([p[5], p[4]], 100_002)] == [4, 5]


def test_a_source_that_begins_anew_far_behind() -> None:
    buffer = ReorderBuffer()
    buffer.push([RtpPacket(s, 0, False, b"x") for s in range(30_000, 30_005)], 0)
    out = buffer.push([RtpPacket(s, 0, False, b"x") for s in (10, 11, 12)], 0)
    assert [(o.packet.sequence, o.lost) for o in out] == [(11, 1), (12, 0)]


@pytest.mark.parametrize("bits", [16, 32])
@pytest.mark.parametrize("start", [0, 2**15, 2**16 - 1, 2**31, 2**32 - 1])
def test_unwrapping(bits: int, start: int) -> None:
    unwrap = Unwrapper(bits)
    first = start % 2**bits
    for step in (0, 3, 1, 5, 100, 90):
        assert unwrap((first + step) % 2**bits) == first + step


def test_h264_has_parameter_sets_before_each_idr() -> None:
    units = encoded("H264")
    stripped = []
    for index, unit in enumerate(units):
        nals = split_annex_b(unit)
        kept = nals if index == 0 else [n for n in nals if n[0] & 31 not in (7, 8)]
        stripped.append(b"".join(b"\0\0\0\1" + n for n in kept))
    got = run("H264", [p for frame in packets_of("H264", stripped) for p in frame])
    for unit in got:
        kinds = [n[0] & 31 for n in split_annex_b(unit.data)]
        assert (kinds[:2] == [7, 8]) == unit.keyframe
        assert 9 not in kinds


def test_h264_takes_parameter_sets_from_sdp() -> None:
    import base64

    unit = encoded("H264")[0]
    nals = split_annex_b(unit)
    sets = [n for n in nals if n[0] & 31 in (7, 8)]
    rest = b"".join(b"\0\0\0\1" + n for n in nals if n[0] & 31 not in (7, 8))
    sprop = ",".join(base64.b64encode(n).decode() for n in sets)
    without = depacketizer(Codec("H264", 90000))
    assert without.push(rtp(h264_payloads(rest), 0, 0), 0) == []
    machine = depacketizer(Codec("H264", 90000, fmtp={"sprop-parameter-sets": sprop}))
    (got,) = machine.push(rtp(h264_payloads(rest), 0, 0), 0)
    assert got.keyframe
    assert (got.width, got.height) == (322, 182)


def test_sps_of_1080p_is_cropped() -> None:
    # x264 High 4.0, 1920x1080: 68 macroblock rows, 8 lines cropped.
    ctx = av.CodecContext.create("libx264", "w")
    ctx.width, ctx.height, ctx.pix_fmt, ctx.time_base = 1920, 1080, "yuv420p", Fraction(1, 30)
    ctx.options = {"profile": "high", "preset": "veryfast"}
    ctx.flags |= 1 << 22  # GLOBAL_HEADER
    ctx.open()
    assert ctx.extradata is not None
    sps = parse_sps(next(n for n in split_annex_b(ctx.extradata) if n[0] & 31 == 7))
    assert (sps.width, sps.height, sps.profile, sps.interlaced) == (1920, 1080, 100, False)
    assert sps.codec_string == "avc1.640028"


def test_vp9_layers_become_a_superframe() -> None:
    units = encoded("VP9")
    payloads = vp9_payloads(units[0], 1, True, layer=0) + vp9_payloads(units[1], 1, True, layer=1)
    (got,) = depacketizer(Codec("VP9", 90000)).push(rtp(payloads, 5, 9), 0)
    assert got.keyframe
    marker = got.data[-1]
    assert marker & 0xE7 == 0xC1
    width = (marker >> 3 & 3) + 1
    index = got.data[-1 - 2 * width : -1]
    sizes = [int.from_bytes(index[i : i + width], "little") for i in (0, width)]
    assert sizes == [len(units[0]), len(units[1])]


def test_opus_tells_silence_from_loss() -> None:
    machine = depacketizer(Codec("opus", 48000, 2))
    start = 2**32 - 960
    packets = [
        RtpPacket((65_535 + i) & 0xFFFF, (start + 960 * t) & 0xFFFFFFFF, False, bytes([i + 1]), t)
        for i, t in ((0, 0), (1, 1), (2, 21), (4, 23))
    ]
    got = machine.push(packets, 0) + machine.push([], 10**6)
    assert [(u.rtp_time - start, u.lost_before) for u in got] == [
        (0, False),
        (960, False),
        (960 * 21, False),
        (960 * 23, True),
    ]


def test_red_fills_losses() -> None:
    def red(primary: bytes, copies: list[tuple[int, bytes]]) -> bytes:
        head = b"".join((1 << 31 | 111 << 24 | off << 10 | len(d)).to_bytes(4, "big") for off, d in copies)
        return head + bytes([111]) + b"".join(d for _, d in copies) + primary

    machine = depacketizer(Codec("red", 48000, 2))
    packets = [
        RtpPacket(0, 0, False, red(b"a", [])),
        RtpPacket(1, 960, False, red(b"b", [(960, b"a")])),
        RtpPacket(4, 3840, False, red(b"e", [(1920, b"c"), (960, b"d")])),
        RtpPacket(7, 6720, False, red(b"h", [(960, b"g")])),
    ]
    got = machine.push(packets, 0) + machine.push([], 10**6)
    assert [(u.data, u.rtp_time, u.lost_before) for u in got] == [
        (b"a", 0, False),
        (b"b", 960, False),
        (b"c", 1920, False),
        (b"d", 2880, False),
        (b"e", 3840, False),
        (b"g", 5760, True),
        (b"h", 6720, False),
    ]


@pytest.mark.parametrize("name", [*CODECS, "opus", "red"])
@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 65535), st.integers(0, 3), st.booleans(), st.binary(max_size=40)), max_size=8
    )
)
def test_nothing_on_the_wire_crashes_it(name: str, items: list[tuple[int, int, bool, bytes]]) -> None:
    machine = depacketizer(Codec(name, 90000))
    machine.push([RtpPacket(s, t, m, p) for s, t, m, p in items], 0)
    machine.flush()


def test_unknown_codec() -> None:
    with pytest.raises(UnsupportedCodec, match="h261"):
        depacketizer(Codec("H261", 90000))
