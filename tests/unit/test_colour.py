"""Colours come out as they went in, whatever a source says of its samples."""

from __future__ import annotations

import io
from fractions import Fraction

import av
import pytest
from av.video.codeccontext import VideoCodecContext
from av.video.reformatter import VideoReformatter

from hls_bridge.colour import BT601, Colour
from hls_bridge.encoder import PassthroughTrack, VideoEncoder
from hls_bridge.rendition import Rendition
from mixer.decode import limited_picture

BT709 = Colour(1, 1, 1)
# (200, 30, 30) as BT.709 and as BT.601 have it
RED_709, RED_601 = (73, 111, 203), (85, 103, 203)


def frame(samples: tuple[int, int, int], colour: Colour | None) -> av.VideoFrame:
    made = av.VideoFrame(64, 64, "yuv420p")
    for plane, value in zip(made.planes, samples, strict=True):
        plane.update(bytes([value]) * plane.buffer_size)
    if colour is not None:
        made.colorspace, made.color_primaries, made.color_trc = colour
    return made


def keyframe(colour: Colour | None) -> bytes:
    context = av.CodecContext.create("libx264", "w")
    assert isinstance(context, VideoCodecContext)
    context.width, context.height, context.pix_fmt = 64, 64, "yuv420p"
    context.time_base, context.options = Fraction(1, 30), {"tune": "zerolatency"}
    if colour is not None:
        colour.tag(context)
    picture = frame(RED_601, None)
    picture.pts = 0
    return b"".join(bytes(packet) for packet in context.encode(picture))


def told(init: bytes) -> Colour:
    """ISO/IEC 14496-12 section 12.1.5: colour_type, then primaries, transfer and matrix."""
    at = init.index(b"colrnclx") + 8
    primaries, transfer, matrix = (int.from_bytes(init[at + n : at + n + 2], "big") for n in (0, 2, 4))
    return Colour(matrix, primaries, transfer)


@pytest.mark.parametrize(("said", "expected"), [(None, BT601), (BT601, BT601), (BT709, BT709)])
def test_passthrough_tells_what_the_source_says_or_what_browsers_send(
    said: Colour | None, expected: Colour
) -> None:
    assert told(PassthroughTrack(keyframe(said)).init) == expected


@pytest.mark.parametrize("said", [None, Colour(5, 2, 2), BT709])
def test_a_rung_has_the_colours_of_its_source(said: Colour | None) -> None:
    scaled = VideoReformatter().reformat(frame(RED_601, said), 32, 32, threads=1)
    colour = Colour.of(scaled)
    assert colour == (BT709 if said == BT709 else BT601)
    encoder = VideoEncoder(
        Rendition("x", 32, 32, 30, 100_000, 100_000, 100_000, "superfast"), "libx264", colour
    )
    assert told(encoder.init) == colour
    packets = encoder.encode(scaled, 0, idr=True)
    (decoded,) = av.open(io.BytesIO(b"".join(bytes(p) for p in packets)), format="h264").decode(video=0)
    assert Colour.of(decoded) == colour


@pytest.mark.parametrize(("samples", "said"), [(RED_601, None), (RED_601, BT601), (RED_709, BT709)])
def test_the_mixer_has_one_matrix(samples: tuple[int, int, int], said: Colour | None) -> None:
    picture = limited_picture(frame(samples, said))
    mixed = tuple(int(plane[8, 8]) for plane in (picture.y, picture.u, picture.v))
    assert all(abs(a - b) <= 1 for a, b in zip(mixed, RED_601, strict=True)), mixed
