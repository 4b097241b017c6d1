"""The latency pattern: a clock that a picture carries and that survives encoding and scaling.

16 x 3 blocks, black or white, fill the top quarter of the picture. Read row by row, the most
significant bit first, they are

    32 bits  Unix time in milliseconds, modulo 2^32, when the picture was drawn
     8 bits  frame number, modulo 2^8
     8 bits  CRC-8 of the five bytes before (polynomial 0x07, initial value 0xFF)

The initial value is not zero, so that neither a black nor a white strip is a valid pattern.
``tests/e2e/js/pattern.js`` reads the same pattern in a browser.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["COLUMNS", "HEIGHT_SHARE", "ROWS", "Pattern", "crc8", "read_pattern"]

COLUMNS = 16
ROWS = 3
HEIGHT_SHARE = 4
"""The pattern is the topmost 1/4 of the picture."""

MIDDLE = 0.4
"""The share of a block's width and height that is read: blurred edges stay outside."""

THRESHOLD = 126
"""Half way between black (16) and white (235) of limited-range luma; close enough for full range."""


def crc8(data: bytes) -> int:
    """CRC-8 with polynomial x^8 + x^2 + x + 1, initial value 0xFF, not reflected."""
    crc = 0xFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1) ^ 0x07 if crc & 0x80 else crc << 1
            crc &= 0xFF
    return crc


@dataclass(frozen=True, slots=True)
class Pattern:
    """What one picture says about itself."""

    sent_ms: int
    """Unix time in ms modulo 2^32."""
    frame: int
    """Frame number modulo 2^8."""

    def blocks(self) -> NDArray[np.bool_]:
        """The blocks as an array of shape (3, 16), true where white."""
        data = (self.sent_ms & 0xFFFF_FFFF).to_bytes(4, "big") + bytes([self.frame & 0xFF])
        bits = np.unpackbits(np.frombuffer(data + bytes([crc8(data)]), np.uint8))
        return bits.astype(np.bool_).reshape(ROWS, COLUMNS)

    def latency_ms(self, now_ms: int) -> int:
        """Milliseconds from drawing to ``now_ms`` (Unix time), right across the wrap of the 32 bits."""
        return ((now_ms - self.sent_ms + 0x8000_0000) & 0xFFFF_FFFF) - 0x8000_0000


def read_pattern(luma: NDArray[np.uint8]) -> Pattern | None:
    """Reads the pattern of a whole picture's luma plane, shape (height, width).

    Returns None if the CRC does not fit: no pattern, or one damaged beyond reading.
    Raises ValueError if the picture is too small to hold it.
    """
    height, width = luma.shape
    strip = height // HEIGHT_SHARE
    if strip < 2 * ROWS or width < 2 * COLUMNS:
        raise ValueError(f"a picture of {width}x{height} can't hold the latency pattern")
    bits = np.empty((ROWS, COLUMNS), np.bool_)
    for row in range(ROWS):
        top, bottom = _middle(row, strip / ROWS)
        for column in range(COLUMNS):
            left, right = _middle(column, width / COLUMNS)
            bits[row, column] = luma[top:bottom, left:right].mean() > THRESHOLD
    data = np.packbits(bits).tobytes()
    if crc8(data[:5]) != data[5]:
        return None
    return Pattern(int.from_bytes(data[:4], "big"), data[4])


def _middle(index: int, size: float) -> tuple[int, int]:
    """First and past-the-last pixel of the middle of block ``index``, at least one pixel."""
    start = int((index + (1 - MIDDLE) / 2) * size)
    return start, max(start + 1, int((index + (1 + MIDDLE) / 2) * size))
