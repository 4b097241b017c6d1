"""The latency pattern: written, read back, damaged, scaled."""

from __future__ import annotations

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from signaling.demo.pattern import COLUMNS, HEIGHT_SHARE, ROWS, Pattern, crc8, read_pattern


def picture(
    pattern: Pattern, width: int, height: int, black: int = 16, white: int = 235
) -> NDArray[np.uint8]:
    """A luma plane with the pattern on top and grey below."""
    luma = np.full((height, width), 128, np.uint8)
    strip = height // HEIGHT_SHARE
    blocks = pattern.blocks()
    rows = np.arange(strip) * ROWS // strip
    columns = np.arange(width) * COLUMNS // width
    luma[:strip] = np.where(blocks[rows][:, columns], white, black)
    return luma


def test_crc8_check_value() -> None:
    # CRC-8/ROHC's neighbour without reflection: the catalogue's check string under init 0xFF, worked by hand
    # from the init 0x00 value 0xF4 and the CRC of the difference (linearity).
    difference = bytes([0xFF]) + bytes(8)
    assert crc8(b"123456789") == 0xF4 ^ crc8_zero(difference)


def crc8_zero(data: bytes) -> int:
    """CRC-8 with initial value 0, by polynomial division."""
    value = int.from_bytes(data, "big") << 8
    for bit in range(value.bit_length() - 1, 7, -1):
        if value >> bit & 1:
            value ^= 0x107 << (bit - 8)
    return value


@pytest.mark.parametrize("sent_ms", [0, 1, 2**15, 2**16, 2**31 - 1, 2**31, 2**32 - 1, 3_487_927_947])
@pytest.mark.parametrize("size", [(1280, 720), (640, 360), (480, 270), (160, 90), (1920, 1080)])
def test_reads_what_was_written(sent_ms: int, size: tuple[int, int]) -> None:
    pattern = Pattern(sent_ms, sent_ms % 251)
    assert read_pattern(picture(pattern, *size)) == pattern


def test_any_single_wrong_block_is_noticed() -> None:
    luma = picture(Pattern(0x1234_5678, 0x9A), 160, 96)
    for row in range(ROWS):
        for column in range(COLUMNS):
            damaged = luma.copy()
            block = np.s_[row * 8 : row * 8 + 8, column * 10 : column * 10 + 10]
            damaged[block] = 251 - damaged[block]
            assert read_pattern(damaged) is None


@pytest.mark.parametrize("level", [0, 16, 128, 235, 255])
def test_an_even_strip_is_no_pattern(level: int) -> None:
    assert read_pattern(np.full((720, 1280), level, np.uint8)) is None


def test_a_picture_too_small_is_refused() -> None:
    with pytest.raises(ValueError, match="16x9"):
        read_pattern(np.zeros((9, 16), np.uint8))


def test_survives_scaling_to_160x90() -> None:
    pattern = Pattern(0xDEAD_BEEF, 42)
    frame = av.VideoFrame.from_ndarray(picture(pattern, 1280, 720), "gray")
    small = frame.reformat(160, 90, interpolation="BILINEAR").to_ndarray()
    assert small.shape == (90, 160)
    assert read_pattern(small) == pattern


def test_survives_a_starved_encoder() -> None:
    """H.264 at 160x90 and 60 kb/s."""
    encoder = av.CodecContext.create("libx264", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = 160, 90, "yuv420p"
    encoder.framerate = 30
    encoder.bit_rate = 60_000
    encoder.options = {"preset": "ultrafast", "tune": "zerolatency", "maxrate": "60000", "bufsize": "60000"}
    decoder = av.CodecContext.create("h264", "r")
    assert isinstance(decoder, av.VideoCodecContext)
    sent, read = [], []
    for number in range(90):
        pattern = Pattern(1_000_000 + 33 * number, number)
        sent.append(pattern)
        frame = av.VideoFrame.from_ndarray(picture(pattern, 160, 90), "gray").reformat(format="yuv420p")
        frame.pts = number
        for packet in encoder.encode(frame):
            read += [read_pattern(frame.to_ndarray(format="gray")) for frame in decoder.decode(packet)]
    assert read == sent[: len(read)]
    assert len(read) > 80


def test_latency_is_right_across_the_wrap() -> None:
    assert Pattern(2**32 - 10, 0).latency_ms(5 * 2**32 + 20) == 30
    assert Pattern(20, 0).latency_ms(2**32 - 10) == -30
