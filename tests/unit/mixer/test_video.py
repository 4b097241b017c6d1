from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest

from mixer.composite.picture import blank, frame_of
from mixer.decode import HOLD_US, PictureTooLarge, UnsupportedVideo, VideoDecoder
from mixer.encode import NoVideoEncoder, VideoEncoder
from mixer.messages import ENCODERS
from mixer.sync import SETTLE_US, HostSync
from mixer.video import FROZEN_US, VideoInput, choose_encoding
from sfu.depacketize import AccessUnit
from sfu.media import Codec, RtpPacket, TapBatch
from sfu.packetize import H264Packetizer

H264 = Codec("H264", 90_000)


def units(count: int, size: tuple[int, int] = (320, 180)) -> list[AccessUnit]:
    """Pictures that brighten by 5 each, 30 a second, the first a keyframe."""
    encoder = VideoEncoder(size, 30, 1_000_000, names=("libx264",), preset="ultrafast", threads=1)
    out = []
    for n in range(count):
        picture = blank(*size)
        picture.y[:] = 40 + 5 * n
        for unit in encoder.encode(frame_of(picture), n * 3000):
            key = unit.keyframe
            out.append(
                AccessUnit(unit.data, unit.rtp_time, key, n * 33_333, False, *(size if key else (None, None)))
            )
    return out


def batch(unit: AccessUnit, packetizer: H264Packetizer, arrival_us: int, generation: int = 1) -> TapBatch:
    packets = [
        RtpPacket(p.sequence, p.timestamp, p.marker, p.payload, arrival_us)
        for p in packetizer.packetize(unit.data, unit.rtp_time)
    ]
    return TapBatch(H264, "m", generation, packets)


def step(video: VideoInput, one: TapBatch, now_us: int) -> None:
    got = video.units(one, now_us)
    video.add(got, video.decode(got, now_us), now_us)


def test_pictures_are_decoded_at_once_and_in_order() -> None:
    decoder = VideoDecoder(H264)
    for n, unit in enumerate(units(8)):
        decoded = decoder.decode([unit], 0)
        ((rtp_time, picture),) = decoded.pictures
        assert rtp_time == 3000 * n
        assert picture.y.mean() == pytest.approx(40 + 5 * n, abs=2)
        assert not decoded.wants_keyframe


@pytest.mark.parametrize("size", [(4100, 2000), (2000, 4100), (3000, 2400), (16_384, 16)])
def test_too_large_pictures_are_refused_until_a_keyframe_fits(size: tuple[int, int]) -> None:
    good = units(3)
    announced = AccessUnit(good[0].data, 0, True, 0, False, *size)
    decoder = VideoDecoder(H264)
    with pytest.raises(PictureTooLarge, match=f"{size[0]} x {size[1]} are above 4096 x 2304"):
        decoder.decode([announced], 0)
    assert decoder.decode([good[1]], 0).pictures == ()
    assert decoder.decode([good[1]], 0).wants_keyframe
    assert len(decoder.decode(good, 0).pictures) == 3


def test_a_size_hidden_from_the_parser_is_refused_by_the_decoder() -> None:
    hidden = [AccessUnit(u.data, u.rtp_time, u.keyframe, 0, False) for u in units(2, (4352, 64))]
    decoded = VideoDecoder(H264).decode(hidden, 0)
    assert decoded.pictures == ()


def test_after_a_loss_the_last_whole_picture_is_held_but_not_for_ever() -> None:
    decoder, sent = VideoDecoder(H264), units(12)
    assert len(decoder.decode(sent[:3], 0).pictures) == 3
    damaged = AccessUnit(sent[5].data, sent[5].rtp_time, False, 0, True)
    decoded = decoder.decode([damaged, sent[6]], 1000)
    assert decoded.pictures == ()
    assert decoded.wants_keyframe
    assert len(decoder.decode([sent[7]], 1000 + HOLD_US).pictures) == 1
    healed = decoder.decode([units(1)[0]], 2000 + HOLD_US)
    assert len(healed.pictures) == 1
    assert not healed.wants_keyframe


def test_garbage_is_survived() -> None:
    rng = np.random.default_rng(3)
    decoder, sent = VideoDecoder(H264), units(4)
    for unit in sent:
        noise = bytearray(unit.data)
        for at in rng.integers(5, len(noise), 20):
            noise[at] = int(rng.integers(0, 256))
        decoder.decode([AccessUnit(bytes(noise), unit.rtp_time, unit.keyframe, 0, False, 320, 180)], 0)
    decoder.decode([AccessUnit(rng.bytes(500), 0, True, 0, False, 320, 180)], 0)
    assert len(decoder.decode(units(2), 0).pictures) >= 1
    with pytest.raises(UnsupportedVideo, match="H266"):
        VideoDecoder(Codec("H266", 90_000))


def test_the_right_picture_for_a_moment_and_a_card_after_two_seconds() -> None:
    video, packetizer = VideoInput(HostSync()), H264Packetizer()
    assert video.at(0).picture is None
    shown = []
    for n, unit in enumerate(units(30)):
        now = 1_000_000 + n * 33_333
        step(video, batch(unit, packetizer, now), now)
        picture = video.at(now + 10_000).picture
        if now + 10_000 - 1_000_000 < SETTLE_US:
            assert picture is None
            continue
        assert picture is not None
        shown.append(float(picture.y.mean()))
    assert shown == sorted(shown)
    assert len(shown) > 20
    last = 1_000_000 + 29 * 33_333
    held = video.at(last + FROZEN_US - 50_000)
    assert held.picture is not None
    assert not held.frozen
    assert video.at(last + FROZEN_US + 100_000).frozen
    assert video.at(last + FROZEN_US + 100_000).picture is None
    assert video.sizes == {"m": (320, 180)}


def test_a_new_generation_starts_anew_without_losing_the_picture() -> None:
    video = VideoInput(HostSync())
    for generation, base in ((1, 0), (2, 2**31)):
        packetizer = H264Packetizer(1000 * generation)
        for n, unit in enumerate(units(5)):
            now = 1_000_000 * generation + n * 33_333
            moved = AccessUnit(
                unit.data, unit.rtp_time + base, unit.keyframe, now, False, unit.width, unit.height
            )
            step(video, batch(moved, packetizer, now, generation), now)
            picture = video.at(now + 200_000).picture
            assert picture is not None
            assert picture.y.mean() == pytest.approx(40 + 5 * n, abs=6)


SEEN = {"h": (1280, 720), "m": (640, 360), "l": (320, 180)}


@pytest.mark.parametrize(
    ("wanted", "current", "rid"),
    [
        ((1920, 1080), None, "h"),
        ((640, 360), None, "m"),
        ((629, 349), None, "m"),
        ((700, 394), None, "m"),
        ((720, 405), None, "h"),
        ((300, 160), None, "l"),
        ((350, 350), None, "m"),
        ((720, 405), "m", "m"),
        ((1100, 620), "m", "h"),
        ((320, 180), "m", "l"),
        ((300, 160), "m", "l"),
    ],
)
def test_the_encoding_nearest_to_the_rectangle(
    wanted: tuple[int, int], current: str | None, rid: str
) -> None:
    assert choose_encoding(["h", "m", "l"], SEEN, wanted, current) == rid


def test_encodings_not_seen_yet_are_guessed() -> None:
    assert choose_encoding(["h", "m", "l"], {}, (640, 360), None) == "m"
    assert choose_encoding(["h", "m", "l"], {"l": (480, 270)}, (900, 500), None) == "m"
    assert choose_encoding([""], {}, (640, 360), None) is None


def test_no_encoder_says_what_each_said() -> None:
    with pytest.raises(NoVideoEncoder, match=r"h264_nvenc: .*libx264_missing: "):
        VideoEncoder((640, 360), 30, 100_000, names=("h264_nvenc", "libx264_missing"))
    assert VideoEncoder((640, 360), 30, 100_000).name in ("h264_nvenc", "h264_qsv", "libx264")


@pytest.mark.parametrize("names", [ENCODERS, ("h264_none", "libx264")])
def test_the_first_encoder_that_works_is_taken(names: tuple[str, ...]) -> None:
    encoder = VideoEncoder((640, 360), 30, 400_000, names=names)
    assert encoder.name == _first_that_works(names)
    made = [unit for n in range(5) for unit in encoder.encode(frame_of(blank(640, 360)), n * 3000)]
    assert made[0].keyframe
    decoded = VideoDecoder(H264).decode(
        [AccessUnit(unit.data, unit.rtp_time, unit.keyframe, 0, False, 640, 360) for unit in made], 0
    )
    assert decoded.errors == 0
    assert len(decoded.pictures) >= 4


def _first_that_works(names: tuple[str, ...]) -> str:
    """By FFmpeg itself: the first that encodes a grey picture."""
    for name in names:
        try:
            context = av.CodecContext.create(name, "w")
            assert isinstance(context, av.VideoCodecContext)
            context.width, context.height, context.time_base = 640, 360, Fraction(1, 30)
            context.pix_fmt = "nv12"
            picture = av.VideoFrame(640, 360, "nv12")
            picture.pts = 0
            if [*context.encode(picture), *context.encode(None)]:
                return name
        except (av.error.FFmpegError, ValueError):
            continue
    raise AssertionError("no encoder at all")


@pytest.mark.parametrize("target_bps", [400_000, 150_000])
def test_the_encoder_keeps_to_its_target(target_bps: int) -> None:
    rng = np.random.default_rng(1)
    encoder = VideoEncoder((320, 180), 30, target_bps, names=("libx264",), threads=1)
    sizes = []
    for n in range(120):
        picture = blank(320, 180)
        picture.y[:] = rng.integers(60, 200, (23, 40)).repeat(8, 0).repeat(8, 1)[:180]
        sizes.append(sum(len(unit.data) for unit in encoder.encode(frame_of(picture), n * 3000)))
    assert sum(sizes[60:]) * 4 == pytest.approx(target_bps, rel=0.3)
