"""The exact compositor: float64 and dense matrices, far too slow to serve, to compare others with."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mixer.composite.picture import Picture
from mixer.composite.scene import Box, Fill, Paint, Scene, Stamp

__all__ = ["compose_exactly", "coverage", "psnr_db", "scaling_matrix"]

Floats = npt.NDArray[np.float64]


def scaling_matrix(source: int, target: int) -> Floats:
    """(target, source) weights of one axis: area mean when shrinking, linear when enlarging."""
    step = source / target
    index = np.arange(source)
    if step > 1:
        left = np.arange(target)[:, None] * step
        overlap = np.minimum(index + 1, left + step) - np.maximum(index, left)
        return np.asarray(np.maximum(overlap, 0) / step)
    centre = np.clip((np.arange(target)[:, None] + 0.5) * step - 0.5, 0, source - 1)
    return np.asarray(np.maximum(1 - np.abs(index - centre), 0))


def coverage(width: int, height: int, radius: float, pixel: int) -> Floats:
    """How much of each pixel a rounded rectangle covers, 0..1.

    The rectangle is ``width`` x ``height`` luma pixels; ``pixel`` is 1 for luma, 2 for chroma samples.
    """
    radius = min(radius, width / 2, height / 2)
    x = np.abs((np.arange(width // pixel) + 0.5) * pixel - width / 2) - (width / 2 - radius)
    y = np.abs((np.arange(height // pixel) + 0.5) * pixel - height / 2) - (height / 2 - radius)
    outside = np.hypot(np.maximum(x[None, :], 0), np.maximum(y[:, None], 0))
    inside = np.minimum(np.maximum(x[None, :], y[:, None]), 0)
    distance = outside + inside - radius
    return np.asarray(np.clip(0.5 - distance / pixel, 0, 1))


def _blend(plane: Floats, box: Box, above: Floats | float, alpha: Floats | float) -> None:
    below = plane[box.y : box.y + box.h, box.x : box.x + box.w]
    below += (above - below) * alpha


def _scaled(plane: npt.NDArray[np.uint8], crop: Box, box: Box) -> Floats:
    part = plane[crop.y : crop.y + crop.h, crop.x : crop.x + crop.w].astype(np.float64)
    return np.asarray(scaling_matrix(crop.h, box.h) @ part @ scaling_matrix(crop.w, box.w).T)


def compose_exactly(scene: Scene) -> tuple[Floats, Floats, Floats]:
    """The scene's y, u and v planes as float64 on the 0..255 scale, not rounded."""
    shape = (scene.height, scene.width)
    half = (scene.height // 2, scene.width // 2)
    planes = [np.full(s, float(c)) for s, c in zip((shape, half, half), scene.background, strict=True)]
    for op in scene.ops:
        boxes = (op.box, op.box.chroma, op.box.chroma)
        for index, (plane, box) in enumerate(zip(planes, boxes, strict=True)):
            match op:
                case Fill():
                    alpha = coverage(op.box.w, op.box.h, op.radius, 1 if index == 0 else 2) * op.opacity
                    _blend(plane, box, float(op.colour[index]), alpha)
                case Paint():
                    alpha = coverage(op.box.w, op.box.h, op.radius, 1 if index == 0 else 2) * op.opacity
                    source = (op.picture.y, op.picture.u, op.picture.v)[index]
                    crop = op.crop if index == 0 else op.crop.chroma
                    _blend(plane, box, _scaled(source, crop, box), alpha)
                case Stamp(bitmap=bitmap):
                    mask = bitmap.alpha if index == 0 else bitmap.alpha_chroma
                    source = (bitmap.picture.y, bitmap.picture.u, bitmap.picture.v)[index]
                    _blend(plane, box, source.astype(np.float64), mask / 255 * op.opacity)
    return planes[0], planes[1], planes[2]


def psnr_db(picture: Picture, exact: tuple[Floats, Floats, Floats]) -> float:
    """Peak signal-to-noise ratio of all samples of a picture; infinite when nothing differs."""
    planes = (picture.y, picture.u, picture.v)
    error = sum(float(np.sum((a.astype(np.float64) - b) ** 2)) for a, b in zip(planes, exact, strict=True))
    samples = sum(b.size for b in exact)
    return float("inf") if error == 0 else float(10 * np.log10(255**2 * samples / error))
