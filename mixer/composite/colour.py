"""Colours: sRGB as people write it, BT.601 limited-range YUV as pictures hold it.

That is what browsers send, and what WebRTC receivers take a picture for that doesn't say: those need no
conversion."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["BLACK", "Yuv", "yuv_of_hex", "yuv_of_rgb"]


class Yuv(NamedTuple):
    """8-bit limited-range samples (16..235 for y, 16..240 for u and v)."""

    y: int
    u: int
    v: int


BLACK = Yuv(16, 128, 128)

# ITU-R BT.601-7 section 2.5: Kr = 0.299, Kb = 0.114; 219 and 224 are the limited ranges.
_KR, _KB = 0.299, 0.114
_MATRIX = np.array([
    [_KR, 1 - _KR - _KB, _KB],
    [-_KR / (2 - 2 * _KB), -(1 - _KR - _KB) / (2 - 2 * _KB), 0.5],
    [0.5, -(1 - _KR - _KB) / (2 - 2 * _KR), -_KB / (2 - 2 * _KR)],
]) * np.array([[219], [224], [224]]) / 255  # fmt: skip
_OFFSET = np.array([16.0, 128.0, 128.0])


def yuv_of_rgb(rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """(..., 3) sRGB bytes to (..., 3) YUV on the 0..255 scale, not yet rounded."""
    return np.asarray(rgb.astype(np.float64) @ _MATRIX.T + _OFFSET)


def yuv_of_hex(colour: str) -> Yuv:
    """``#rrggbb`` to YUV. Raises ValueError for anything else."""
    if len(colour) != 7 or colour[0] != "#":
        raise ValueError(f"{colour!r} is no #rrggbb colour")
    rgb = np.frombuffer(bytes.fromhex(colour[1:]), np.uint8)
    return Yuv(*(int(value) for value in np.rint(yuv_of_rgb(rgb))))
