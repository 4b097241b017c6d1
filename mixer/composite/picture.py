"""A picture in YUV 4:2:0, 8 bits, BT.601 limited range: what decoders give and compositors draw."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from mixer.composite.colour import BLACK, Yuv

__all__ = ["Picture", "Plane", "blank", "frame_of", "picture_of"]

Plane = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Picture:
    """Three planes; compared by identity, so that a held frame is known as such.

    ``y`` has shape (height, width), ``u`` and ``v`` (height / 2, width / 2), both even. The planes
    are NumPy arrays, or CuPy arrays for pictures on a device; NV12 is two strided views of one plane.
    """

    y: Plane
    u: Plane
    v: Plane
    owner: Any = None
    """Keeps the memory of the planes alive, for pictures that view a decoded frame."""

    @property
    def width(self) -> int:
        return int(self.y.shape[1])

    @property
    def height(self) -> int:
        return int(self.y.shape[0])


def blank(width: int, height: int, colour: Yuv = BLACK) -> Picture:
    """A new writable picture of one colour; the owner is the ``av.VideoFrame`` it lives in."""
    picture = picture_of(av.VideoFrame(width, height, "yuv420p"))
    picture.y[:], picture.u[:], picture.v[:] = colour
    return picture


def plane_rows(plane: Any, width: int, height: int) -> Plane:
    """View one plane of a software frame."""
    rows = np.frombuffer(plane, np.uint8, plane.line_size * height).reshape(height, plane.line_size)
    return rows[:, :width]


def picture_of(frame: av.VideoFrame) -> Picture:
    """View a software frame without copying; other formats than 4:2:0 are converted first.

    An odd last column or row is left out, so that chroma covers exactly two by two samples.
    """
    if frame.format.name not in ("yuv420p", "nv12"):
        frame = frame.reformat(format="yuv420p", dst_color_range="MPEG", threads=1)
    width, height = frame.width // 2 * 2, frame.height // 2 * 2
    y = plane_rows(frame.planes[0], width, height)
    if frame.format.name == "nv12":
        chroma = plane_rows(frame.planes[1], width, height // 2)
        return Picture(y, chroma[:, 0::2], chroma[:, 1::2], frame)
    u = plane_rows(frame.planes[1], width // 2, height // 2)
    v = plane_rows(frame.planes[2], width // 2, height // 2)
    return Picture(y, u, v, frame)


def frame_of(picture: Picture) -> av.VideoFrame:
    """The picture as a software frame for an encoder: the frame it lives in, or a copy."""
    owner = picture.owner
    if isinstance(owner, av.VideoFrame) and (owner.width, owner.height) == (picture.width, picture.height):
        return owner
    copy = blank(picture.width, picture.height)
    copy.y[:], copy.u[:], copy.v[:] = picture.y, picture.u, picture.v
    assert isinstance(copy.owner, av.VideoFrame)
    return copy.owner
