"""The vocabulary of layouts: rectangles in pixels of the program's picture, and the tiles in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

__all__ = ["Arrangement", "Fit", "Rect", "Subject", "Tile"]

Fit = Literal["cover", "contain"]


class Rect(NamedTuple):
    """A rectangle in pixels, origin at the top left; fractions are allowed until it is drawn."""

    x: float
    y: float
    w: float
    h: float

    def inset(self, by: float) -> Rect:
        """This rectangle without a rim ``by`` pixels wide (negative: with one added)."""
        return Rect(self.x + by, self.y + by, max(self.w - 2 * by, 0.0), max(self.h - 2 * by, 0.0))

    def mix(self, other: Rect, t: float) -> Rect:
        """Linear interpolation, ``t`` from 0 (self) to 1 (other)."""
        return Rect(*(a + (b - a) * t for a, b in zip(self, other, strict=True)))


class Subject(NamedTuple):
    """What a tile shows: one video source of one participant."""

    participant_id: str
    source: Literal["camera", "screen"] = "camera"


@dataclass(frozen=True, slots=True)
class Tile:
    """One subject in its place."""

    subject: Subject
    rect: Rect
    z: int = 0
    """Greater is nearer to the viewer; equal ones keep the order of the arrangement."""
    fit: Fit = "cover"
    """``cover`` fills the rectangle and crops, ``contain`` shows everything and leaves bars."""
    radius: float = 0.0
    """Corner radius in pixels."""
    border: float = 0.0
    """Width in pixels of a rim inside the rectangle."""
    border_colour: str = "#3b82f6"
    label: str | None = None
    opacity: float = 1.0


@dataclass(frozen=True, slots=True)
class Arrangement:
    """A whole picture: every tile, back to front, and what surrounds them."""

    width: int
    height: int
    tiles: tuple[Tile, ...]
    background: str = "#10141c"
    """``#rrggbb`` or the id of an uploaded image."""
    logo: str | None = None
    """Id of an uploaded image, drawn in the top right corner."""
    lower_third: str | None = None
    """Text of the caption bar; its opacity is ``lower_third_opacity``."""
    lower_third_opacity: float = 1.0
