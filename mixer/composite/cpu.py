"""The CPU compositor: libswscale scales planes, NumPy places and blends them. No RGB on the way."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Literal, NamedTuple
from weakref import WeakKeyDictionary

import av
import numpy as np
import numpy.typing as npt
from av.video.reformatter import Interpolation, VideoReformatter

from mixer.composite.picture import Picture, Plane, blank, frame_of, picture_of, plane_rows
from mixer.composite.reference import coverage
from mixer.composite.scene import Bitmap, Box, Fill, Paint, Scene, Stamp

__all__ = ["CpuCompositor"]

Weights = npt.NDArray[np.uint16]
Indices = npt.NDArray[np.intp]
# Without ACCURATE_RND, which costs a quarter more: since FFmpeg 5 its fast vertical filter is off by at most
# 0.62 steps of the exact area mean, and by none on even areas.
AREA = Interpolation.AREA


class _Rim(NamedTuple):
    """The samples of a plane's corners that a rounded rectangle does not cover whole."""

    where: tuple[Indices, Indices]
    """Rows and columns."""
    weight: Weights
    """0..255 of 256."""


@lru_cache(maxsize=256)
def _corner(radius: float, pixel: int, limit: int) -> tuple[Indices, Indices, Weights]:
    """The top left corner's rim within ``limit`` samples: rows, columns, weights."""
    size = int(np.ceil(radius / pixel)) * pixel
    mask = coverage(4 * size + 4, 4 * size + 4, radius, pixel)[: size // pixel, : size // pixel]
    corner = np.rint(mask[:limit, :limit] * 256).astype(np.uint16)
    rows, columns = np.nonzero(corner < 256)
    return rows, columns, corner[rows, columns]


@lru_cache(maxsize=256)
def _rim(width: int, height: int, radius: float, pixel: int) -> _Rim:
    """Of all four corners of a plane of ``width`` x ``height`` samples."""
    rows, columns, weight = _corner(radius, pixel, min(width, height))
    down, right = height - 1 - rows, width - 1 - columns
    where = np.concatenate((rows, rows, down, down)), np.concatenate((columns, right, columns, right))
    return _Rim(where, np.tile(weight, 4))


class _Ink(NamedTuple):
    """A plane to blend over others again and again: ``below`` becomes ``(below * keep + add) / 256``."""

    keep: Weights
    add: Weights


def _ink(above: Plane, alpha: Plane, opacity: float) -> _Ink:
    weight = np.rint(alpha * (opacity * 256 / 255)).astype(np.uint16)
    return _Ink(np.uint16(256) - weight, above * weight + np.uint16(128))


def _blend(below: Plane, above: Plane | int, weight: Weights | int) -> None:
    """``below`` becomes the mean of both, ``weight`` / 256 of ``above``.

    255 * 256 + 128 fits 16 bits, so no wider type is needed.
    """
    mixed = below * (np.uint16(256) - np.uint16(weight)) + np.multiply(above, weight, dtype=np.uint16)
    mixed += np.uint16(128)
    mixed >>= np.uint16(8)
    below[:] = mixed


def _place(below: Plane, above: Plane | int, radius: float, pixel: int, opacity: float) -> None:
    """Blend ``above`` over the whole of ``below`` as a rounded rectangle; ``pixel`` as in `coverage`."""
    height, width = below.shape
    part = round(opacity * 256)
    if part >= 256 and radius <= 0:
        below[:] = above
        return
    where, weight = _rim(width, height, radius, pixel)
    if part < 256:
        mask = np.full((height, width), part, np.uint16)
        mask[where] = (weight.astype(np.uint32) * part + 128) >> 8
        _blend(below, above, mask)
        return
    # Opaque: only the rim needs arithmetic; the rest is copied.
    rim = below[where]
    below[:] = above
    _blend(rim, above if isinstance(above, int) else above[where], weight)
    below[where] = rim


class CpuCompositor:
    """See `mixer.composite.compositor.Compositor`. A picture painted again unchanged is not scaled again."""

    name: Literal["cpu", "cuda"] = "cpu"
    decoding = None

    def __init__(self) -> None:
        self._scalers: dict[tuple[object, ...], VideoReformatter] = {}
        self._scaled: dict[tuple[int, Box, int, int], tuple[Picture, Picture]] = {}
        self._kept: dict[tuple[int, Box, int, int], tuple[Picture, Picture]] = {}
        self._inks: WeakKeyDictionary[Bitmap, list[_Ink]] = WeakKeyDictionary()
        self._halver = VideoReformatter()

    def compose(self, scenes: Sequence[Scene]) -> list[Picture]:
        self._scaled, self._kept = self._kept, {}
        out = [self._compose(scene) for scene in scenes]
        if len(self._scalers) > 512:  # transitions pass through many sizes
            self._scalers.clear()
        return out

    def halve(self, picture: Picture) -> Picture:
        width, height = picture.width // 4 * 2, picture.height // 4 * 2
        frame = self._halver.reformat(frame_of(picture), width, height, interpolation=AREA, threads=1)
        return picture_of(frame)

    def upload(self, picture: Picture) -> Picture:
        return picture

    def frame(self, picture: Picture) -> av.VideoFrame:
        return frame_of(picture)

    def _compose(self, scene: Scene) -> Picture:
        canvas = blank(scene.width, scene.height, scene.background)
        for op in scene.ops:
            boxes = (op.box, op.box.chroma, op.box.chroma)
            below = [
                plane[box.y : box.y + box.h, box.x : box.x + box.w]
                for plane, box in zip((canvas.y, canvas.u, canvas.v), boxes, strict=True)
            ]
            match op:
                case Fill(box=box):
                    radius = min(op.radius, box.w / 2, box.h / 2)
                    for index in range(3):
                        _place(below[index], op.colour[index], radius, 2 if index else 1, op.opacity)
                case Paint(box=box):
                    radius = min(op.radius, box.w / 2, box.h / 2)
                    picture = self._fit(op)
                    for index, plane in enumerate((picture.y, picture.u, picture.v)):
                        _place(below[index], plane, radius, 2 if index else 1, op.opacity)
                case Stamp():
                    for plane, ink in zip(below, self._inks_of(op), strict=True):
                        mixed = plane * ink.keep
                        mixed += ink.add
                        mixed >>= np.uint16(8)
                        plane[:] = mixed
        return canvas

    def _inks_of(self, op: Stamp) -> list[_Ink]:
        found = self._inks.get(op.bitmap) if op.opacity == 1 else None
        if found is None:
            bitmap, picture = op.bitmap, op.bitmap.picture
            planes = (
                (picture.y, bitmap.alpha),
                (picture.u, bitmap.alpha_chroma),
                (picture.v, bitmap.alpha_chroma),
            )
            found = [_ink(above, alpha, op.opacity) for above, alpha in planes]
            if op.opacity == 1:
                self._inks[bitmap] = found
        return found

    def _fit(self, op: Paint) -> Picture:
        """The crop of ``op.picture`` at the size of its box."""
        key = (id(op.picture), op.crop, op.box.w, op.box.h)
        found = self._kept.get(key) or self._scaled.get(key)
        if found is None:
            # The source is kept beside the result: while it lives, no other picture has its id.
            found = op.picture, self._scaled_whole(op) or self._scaled_planes(op)
        self._kept[key] = found
        return found[1]

    def _scaled_whole(self, op: Paint) -> Picture | None:
        """All planes in one call, a sixth to a quarter cheaper than one by one; None where that can't be."""
        picture, box = op.picture, op.box
        size, frame = (picture.width, picture.height), picture.owner
        if (op.crop.w, op.crop.h) != size or size == (box.w, box.h) or not isinstance(frame, av.VideoFrame):
            return None
        if (frame.width, frame.height) != size or frame.format.name != "yuv420p":
            return None
        # A scaler that is given other colours begins anew.
        key = (frame.colorspace, frame.color_range, *size, box.w, box.h)
        scaler = self._scalers.setdefault(key, VideoReformatter())
        return picture_of(scaler.reformat(frame, box.w, box.h, interpolation=AREA, threads=1))

    def _scaled_planes(self, op: Paint) -> Picture:
        crop, half = op.crop, op.crop.chroma
        return Picture(
            self._scale(0, op.picture.y[crop.y : crop.y + crop.h, crop.x : crop.x + crop.w], op.box),
            self._scale(1, op.picture.u[half.y : half.y + half.h, half.x : half.x + half.w], op.box.chroma),
            self._scale(2, op.picture.v[half.y : half.y + half.h, half.x : half.x + half.w], op.box.chroma),
        )

    def _scale(self, index: int, part: Plane, box: Box) -> Plane:
        height, width = part.shape
        if (width, height) == (box.w, box.h):
            return part
        if part.strides[1] != 1:
            part = np.ascontiguousarray(part)
        key = (min(index, 1), width, height, box.w, box.h)
        scaler = self._scalers.setdefault(key, VideoReformatter())
        frame = av.VideoFrame.from_numpy_buffer(part, "gray")
        scaled = scaler.reformat(frame, box.w, box.h, interpolation=AREA, threads=1)
        return plane_rows(scaled.planes[0], box.w, box.h)
