"""The demo's picture: latency pattern, name, clock, a flash on the second, and moving water.

The picture is drawn into one preallocated frame, and only where it changes; most of a second's
work is copying slices of what was drawn once.
"""

from __future__ import annotations

from typing import NamedTuple

import av
import numpy as np
from numpy.typing import NDArray

from signaling.demo import glyphs
from signaling.demo.pattern import COLUMNS, HEIGHT_SHARE, ROWS, Pattern

__all__ = ["FLASH_MS", "Picture"]

Plane = NDArray[np.uint8]

BLACK, WHITE = 16, 235
NEUTRAL = 128
FLASH_MS = 100
"""The flash lasts three frames at 30 frames per second: one survives a viewer that skips every other."""

CLOCK = "00:00:00.000"


class Colour(NamedTuple):
    """BT.709 limited range."""

    y: int
    u: int
    v: int


NIGHT = Colour(30, 140, 122)
DUSK = Colour(58, 150, 116)
DEEP = Colour(64, 158, 96)
FOAM = Colour(150, 146, 96)
INK = Colour(225, 128, 128)
EMBER = Colour(92, 112, 168)
SPARK = Colour(220, 100, 150)


class Picture:
    """Draws picture after picture into :attr:`frame` (yuv420p). Width a multiple of 32, height of 24."""

    def __init__(self, width: int = 1280, height: int = 720) -> None:
        if width % 32 or height % 24:
            raise ValueError(f"{width}x{height}: the width must be a multiple of 32 and the height of 24")
        self.width = width
        self.height = height
        self.frame = av.VideoFrame(width, height, "yuv420p")
        # Limited range BT.709, as browsers assume for pictures of this size.
        self.frame.colorspace = av.video.reformatter.Colorspace.ITU709
        self.frame.color_range = av.video.reformatter.ColorRange.MPEG
        self._y, self._u, self._v = (_view(plane) for plane in self.frame.planes)

        self._block = (height // HEIGHT_SHARE // ROWS, width // COLUMNS)
        self._blocks = np.zeros((ROWS, COLUMNS), np.bool_)
        scale = width // 128
        self._scale = scale
        self._digits = {
            character: np.where(glyphs.glyph(character, scale), INK.y, NIGHT.y).astype(np.uint8)
            for character in "0123456789:."
        }
        self._clock = ""
        clock_width = (6 * len(CLOCK) - 1) * scale
        self._clock_at = (height * 48 // 100, (width - clock_width) // 2)
        flash = height // 12 // 2 * 2
        self._flash_box = (height * 30 // 100 // 2 * 2, width - 2 * flash, flash)
        self._flash: bool | None = None
        self._water_top = height * 72 // 100 // 2 * 2
        self._draw_background()
        self._water = _water(width, height - self._water_top)

    def draw(self, program_ms: int, pattern: Pattern) -> av.VideoFrame:
        """Draws the picture for ``program_ms`` (Unix time in ms, shown in UTC) and returns :attr:`frame`.

        The frame is the same object every time: encode it, or copy it, before the next call.
        """
        self._draw_pattern(pattern)
        self._draw_clock(program_ms)
        self._draw_flash(program_ms % 1000 < FLASH_MS)
        self._draw_water(program_ms)
        return self.frame

    def luma(self) -> Plane:
        """The luma plane as last drawn, shape (height, width): a view, not a copy."""
        return self._y

    def _fill(self, top: int, left: int, height: int, width: int, colour: Colour) -> None:
        self._y[top : top + height, left : left + width] = colour.y
        half = np.s_[top // 2 : (top + height) // 2, left // 2 : (left + width) // 2]
        self._u[half] = colour.u
        self._v[half] = colour.v

    def _draw_background(self) -> None:
        strip = self.height // HEIGHT_SHARE
        self._fill(0, 0, self.height, self.width, NIGHT)
        self._fill(0, 0, strip, self.width, Colour(BLACK, NEUTRAL, NEUTRAL))
        top, _ = self._clock_at
        clock_bottom = top + glyphs.HEIGHT * self._scale
        for row in range(clock_bottom + self._scale, self._water_top, 2):
            share = (row - clock_bottom) / (self._water_top - clock_bottom)
            mixed = [round(a + (b - a) * share) for a, b in zip(NIGHT, DUSK, strict=True)]
            self._fill(row, 0, 2, self.width, Colour(*mixed))
        name = glyphs.text("SPILLWAY", self._scale)
        place = self._y[
            self._flash_box[0] : self._flash_box[0] + name.shape[0],
            self._clock_at[1] : self._clock_at[1] + name.shape[1],
        ]
        place[name] = INK.y
        label = glyphs.text("UTC", max(1, self._scale // 3))
        bottom = self._y[clock_bottom - label.shape[0] : clock_bottom]
        left = self.width - self._clock_at[1] + self._scale
        bottom[:, left : left + label.shape[1]][label] = INK.y

    def _draw_pattern(self, pattern: Pattern) -> None:
        blocks = pattern.blocks()
        height, width = self._block
        for row, column in np.argwhere(blocks != self._blocks):
            place = self._y[row * height : (row + 1) * height, column * width : (column + 1) * width]
            place[:] = WHITE if blocks[row, column] else BLACK
        self._blocks = blocks

    def _draw_clock(self, program_ms: int) -> None:
        seconds, ms = divmod(program_ms, 1000)
        minutes, second = divmod(seconds, 60)
        hours, minute = divmod(minutes, 60)
        clock = f"{hours % 24:02}:{minute:02}:{second:02}.{ms:03}"
        top, left = self._clock_at
        height, width = glyphs.HEIGHT * self._scale, glyphs.WIDTH * self._scale
        for index, character in enumerate(clock):
            if self._clock[index : index + 1] != character:
                at = left + index * (glyphs.WIDTH + 1) * self._scale
                self._y[top : top + height, at : at + width] = self._digits[character]
        self._clock = clock

    def _draw_flash(self, on: bool) -> None:
        if on != self._flash:
            top, left, size = self._flash_box
            self._fill(top, left, size, size, SPARK if on else EMBER)
            self._flash = on

    def _draw_water(self, program_ms: int) -> None:
        # The texture is one period wide and stands twice side by side: any slice of one period is whole.
        shift = program_ms * self.width // 8000 % self.width // 2 * 2
        y, u, v = self._water
        self._y[self._water_top :] = y[:, shift : shift + self.width]
        half = np.s_[:, shift // 2 : (shift + self.width) // 2]
        self._u[self._water_top // 2 :] = u[half]
        self._v[self._water_top // 2 :] = v[half]


def _view(plane: av.video.plane.VideoPlane) -> Plane:
    """The plane as a writable array without the padding at the end of its lines."""
    return np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width]


def _water(width: int, height: int) -> tuple[Plane, Plane, Plane]:
    """Waves that repeat after ``width`` pixels, two periods of them, as planes."""
    x = np.arange(width) * (2 * np.pi / width)
    rows = np.arange(height)[:, None] / height
    waves = sum(np.sin(n * x + 9 * rows * n**0.5 + n) / n for n in (2, 3, 5, 8))
    level = np.clip(0.5 + waves * 0.3 * (1 - 0.5 * rows), 0, 1) * (1 - 0.6 * rows)
    surface = rows < 0.12 + 0.08 * np.sin(3 * x)
    planes = []
    for low, high, above in zip(DEEP, FOAM, DUSK, strict=True):
        plane = np.where(surface, above, low + (high - low) * level).astype(np.uint8)
        planes.append(np.concatenate([plane, plane], axis=1))
    y, u, v = planes
    return y, u[::2, ::2], v[::2, ::2]
