"""Turns scenes into the tables that the CUDA kernel reads: operations, programs and bins.

Pure NumPy, so that the tables and the kernel's source are tested on machines without a device. A bin
is the part of a picture that one block of threads makes; it lists the operations that touch it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from math import ceil, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from mixer.composite.picture import Picture
from mixer.composite.scene import Fill, Op, Paint, Scene, Stamp

__all__ = ["BIN_H", "BIN_W", "BLOCK", "KERNEL", "OP", "PROGRAM", "Plan", "Planner", "kernel_source"]

BLOCK = (32, 8)
"""Threads of a block: a warp writes 64 adjacent luma samples."""
BIN_W, BIN_H = 2 * BLOCK[0], 2 * BLOCK[1]
KERNEL = "compose"
_KINDS: dict[type[Op], int] = {Fill: 0, Paint: 1, Stamp: 2}

# As ``struct Op`` and ``struct Program`` of kernel.cu; align=True applies C's rules.
OP = np.dtype([
    ("y", "u8"), ("u", "u8"), ("v", "u8"), ("alpha", "u8"), ("alpha_c", "u8"),
    ("pitch", "i4"), ("pitch_c", "i4"), ("step_c", "i4"), ("pitch_alpha", "i4"), ("pitch_alpha_c", "i4"),
    ("kind", "i4"), ("x", "i4"), ("y0", "i4"), ("w", "i4"), ("h", "i4"), ("crop_w", "i4"), ("crop_h", "i4"),
    ("step_x", "f4"), ("step_y", "f4"), ("radius", "f4"), ("opacity", "f4"), ("colour", "f4", (3,)),
    ("ratio", "i4"),
], align=True)  # fmt: skip
PROGRAM = np.dtype([
    ("out_y", "u8"), ("out_uv", "u8"), ("pitch_y", "i4"), ("pitch_uv", "i4"), ("width", "i4"),
    ("height", "i4"), ("bins_x", "i4"), ("first_bin", "i4"), ("background", "f4", (3,)), ("padding", "i4"),
], align=True)  # fmt: skip


@cache
def kernel_source() -> str:
    """The text of kernel.cu."""
    return (files("mixer.composite") / "kernel.cu").read_text()


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything one launch needs."""

    ops: npt.NDArray[Any]
    programs: npt.NDArray[Any]
    bin_start: npt.NDArray[np.int32]
    bin_ops: npt.NDArray[np.int32]
    grid: tuple[int, int, int]


Address = Callable[[Any], int]
Output = tuple[Any, Any]
"""The y plane (height, width) and the interleaved uv plane (height / 2, width) to write."""


def _opaque_inset(op: Op) -> int | None:
    """How far inside its box an operation hides all below it; None if it hides nothing.

    Inside the square inscribed at the corner arc, at ``r (1 - 1/sqrt 2)`` from the edges, and one
    pixel further for the soft rim, coverage is 1.
    """
    if isinstance(op, Stamp) or op.opacity < 1:
        return None
    return 0 if op.radius <= 0 else ceil(op.radius * (1 - 1 / sqrt(2))) + 2


def _bins(scene: Scene) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Per bin, how many operations it has; and their indices, bin after bin."""
    columns, rows = ceil(scene.width / BIN_W), ceil(scene.height / BIN_H)
    touches = np.zeros((rows, columns, len(scene.ops)), bool)
    for index, op in enumerate(scene.ops):
        box = op.box
        inset = _opaque_inset(op)
        if inset is not None:
            left, top = ceil((box.x + inset) / BIN_W), ceil((box.y + inset) / BIN_H)
            right, bottom = box.x + box.w - inset, box.y + box.h - inset
            # The last bin of a row or column ends with the picture.
            right = columns if right >= scene.width else right // BIN_W
            bottom = rows if bottom >= scene.height else bottom // BIN_H
            touches[top : max(bottom, top), left : max(right, left), :index] = False
        rows_touched = slice(box.y // BIN_H, ceil((box.y + box.h) / BIN_H))
        touches[rows_touched, box.x // BIN_W : ceil((box.x + box.w) / BIN_W), index] = True
    flat = touches.reshape(rows * columns, len(scene.ops))
    return flat.sum(axis=1).astype(np.int32), np.nonzero(flat)[1].astype(np.int32)


def _shape_key(scene: Scene) -> tuple[Any, ...]:
    return scene.width, scene.height, *((type(op), op.box, _opaque_inset(op)) for op in scene.ops)


class Planner:
    """Makes plans; the bins of a layout are kept, since they change only when it does."""

    def __init__(self, address: Address) -> None:
        """``address`` gives the device address of an array's first element."""
        self._address = address
        self._kept: OrderedDict[tuple[Any, ...], tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]]
        self._kept = OrderedDict()

    def plan(self, scenes: Sequence[Scene], outputs: Sequence[Output]) -> Plan:
        """Tables for drawing ``scenes`` into ``outputs``, all in one launch."""
        ops = np.zeros(max(sum(len(scene.ops) for scene in scenes), 1), OP)
        programs = np.zeros(len(scenes), PROGRAM)
        counts, members = [np.zeros(1, np.int32)], []
        first_bin = first_op = 0
        for number, (scene, (luma, chroma)) in enumerate(zip(scenes, outputs, strict=True)):
            bins_x = ceil(scene.width / BIN_W)
            programs[number] = (
                self._address(luma), self._address(chroma), luma.strides[0], chroma.strides[0],
                scene.width, scene.height, bins_x, first_bin, scene.background, 0,
            )  # fmt: skip
            for index, op in enumerate(scene.ops):
                self._write(ops[first_op + index], op)
            count, member = self._bins(scene)
            counts.append(count)
            members.append(member + np.int32(first_op))
            first_bin += len(count)
            first_op += len(scene.ops)
        bin_start = np.cumsum(np.concatenate(counts), dtype=np.int32)
        # Never empty: a device array needs an address.
        bin_ops = np.concatenate([*members, np.zeros(1, np.int32)])
        width, height = max(s.width for s in scenes), max(s.height for s in scenes)
        return Plan(
            ops, programs, bin_start, bin_ops, (ceil(width / BIN_W), ceil(height / BIN_H), len(scenes))
        )

    def _bins(self, scene: Scene) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        key = _shape_key(scene)
        found = self._kept.pop(key, None)
        self._kept[key] = found = found or _bins(scene)
        if len(self._kept) > 256:
            self._kept.popitem(last=False)
        return found

    def _write(self, row: Any, op: Op) -> None:
        row["kind"] = _KINDS[type(op)]
        box = op.box
        row["x"], row["y0"], row["w"], row["h"] = box
        row["opacity"] = op.opacity
        if isinstance(op, Stamp):
            self._planes(row, op.bitmap.picture, 0, 0)
            row["alpha"], row["pitch_alpha"] = self._address(op.bitmap.alpha), op.bitmap.alpha.strides[0]
            row["alpha_c"] = self._address(op.bitmap.alpha_chroma)
            row["pitch_alpha_c"] = op.bitmap.alpha_chroma.strides[0]
            return
        row["radius"] = min(op.radius, box.w / 2, box.h / 2)
        if isinstance(op, Fill):
            row["colour"] = op.colour
            return
        crop = op.crop
        self._planes(row, op.picture, crop.x, crop.y)
        row["crop_w"], row["crop_h"] = crop.w, crop.h
        row["step_x"], row["step_y"] = crop.w / box.w, crop.h / box.h
        if (crop.w, crop.h) == (box.w, box.h):
            row["ratio"] = 1
        elif (crop.w, crop.h) == (2 * box.w, 2 * box.h) and row["y"] % 4 == 0 and row["pitch"] % 4 == 0:
            row["ratio"] = 2

    def _planes(self, row: Any, picture: Picture, x: int, y: int) -> None:
        luma, u, v = picture.y, picture.u, picture.v
        if luma.strides[1] != 1 or u.strides != v.strides:
            raise ValueError("luma samples must be adjacent and both chroma planes laid out alike")
        step = u.strides[1]
        row["y"] = self._address(luma) + y * luma.strides[0] + x
        row["u"] = self._address(u) + y // 2 * u.strides[0] + x // 2 * step
        row["v"] = self._address(v) + y // 2 * v.strides[0] + x // 2 * step
        row["pitch"], row["pitch_c"], row["step_c"] = luma.strides[0], u.strides[0], step
