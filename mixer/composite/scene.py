"""What a compositor draws: a list of operations on whole, even pixels, back to front.

The arithmetic is fixed here, so that every implementation can be compared with the exact one
(`mixer.composite.reference`):

* Destination boxes, crops and stamps lie on even luma pixels; chroma is the same at half size.
* Scaling is separable. Where the source is larger, an output sample is the mean of the source area
  under it; where it is smaller, linear interpolation between pixel centres, clamped to the crop.
* A rounded rectangle covers a luma pixel by ``clamp(0.5 - d, 0, 1)``, d being the signed distance in
  pixels of the pixel's centre to the outline, and a chroma pixel by ``clamp(0.5 - d / 2, 0, 1)``.
* An operation is blended as ``below + (above - below) * coverage * opacity``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from mixer.composite.colour import Yuv
from mixer.composite.picture import Picture, Plane

__all__ = ["Bitmap", "Box", "Fill", "Op", "Paint", "Scene", "Stamp"]


class Box(NamedTuple):
    """A rectangle in whole luma pixels; all four numbers are even."""

    x: int
    y: int
    w: int
    h: int

    @property
    def chroma(self) -> Box:
        return Box(self.x // 2, self.y // 2, self.w // 2, self.h // 2)


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Bitmap:
    """A small picture with an alpha channel, drawn without scaling: text, logos."""

    picture: Picture
    alpha: Plane
    """Coverage 0..255 of the luma pixels."""
    alpha_chroma: Plane
    """The same for the chroma pixels."""


@dataclass(frozen=True, slots=True)
class Fill:
    """A rounded rectangle of one colour."""

    box: Box
    colour: Yuv
    radius: float = 0.0
    opacity: float = 1.0


@dataclass(frozen=True, slots=True)
class Paint:
    """A crop of a picture, scaled into a rounded rectangle."""

    box: Box
    picture: Picture
    crop: Box
    radius: float = 0.0
    opacity: float = 1.0


@dataclass(frozen=True, slots=True)
class Stamp:
    """A bitmap with its own alpha, its top left corner at (``x``, ``y``)."""

    x: int
    y: int
    bitmap: Bitmap
    opacity: float = 1.0

    @property
    def box(self) -> Box:
        return Box(self.x, self.y, self.bitmap.picture.width, self.bitmap.picture.height)


Op = Fill | Paint | Stamp


@dataclass(frozen=True, slots=True)
class Scene:
    """One picture to draw. Raises ValueError if an operation would touch anything outside of it."""

    width: int
    height: int
    background: Yuv
    ops: tuple[Op, ...] = field(default=())

    def __post_init__(self) -> None:
        if self.width % 2 or self.height % 2 or self.width < 2 or self.height < 2:
            raise ValueError(f"a scene of {self.width} x {self.height}: both must be even")
        for op in self.ops:
            _check(op.box, self.width, self.height)
            if isinstance(op, Paint):
                _check(op.crop, op.picture.width, op.picture.height)


def _check(box: Box, width: int, height: int) -> None:
    even = not any(value % 2 for value in box)
    inside = box.x >= 0 and box.y >= 0 and box.x + box.w <= width and box.y + box.h <= height
    if not (even and inside and box.w >= 2 and box.h >= 2):
        raise ValueError(f"{box} is not an even box inside {width} x {height}")
