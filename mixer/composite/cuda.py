"""The CUDA compositor: every program of a process in one launch of one fused kernel (kernel.cu).

Needs CuPy (extra ``spillway[gpu]``) and a device; importing this module needs neither.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal
from weakref import WeakKeyDictionary

import av
import numpy as np
from av.codec.hwaccel import HWAccel

from mixer.composite.colour import BLACK, Yuv
from mixer.composite.compositor import CompositorUnavailable
from mixer.composite.picture import Picture, picture_of, plane_rows
from mixer.composite.plan import BLOCK, KERNEL, Plan, Planner, kernel_source
from mixer.composite.scene import Bitmap, Box, Op, Paint, Scene, Stamp
from mixer.decode import limited_picture

__all__ = ["CudaCompositor"]


def _cupy() -> Any:
    try:
        import cupy
    except ModuleNotFoundError as error:
        raise CompositorUnavailable("CuPy is not installed: pip install 'spillway[gpu]'") from error
    except ImportError as error:
        raise CompositorUnavailable(f"CuPy does not fit this machine's CUDA: {error}") from error
    try:
        count = cupy.cuda.runtime.getDeviceCount()
    # CUDARuntimeError is one; a library that is missing raises RuntimeError itself.
    except RuntimeError as error:
        raise CompositorUnavailable(f"no CUDA device answers: {error}") from error
    if count == 0:
        raise CompositorUnavailable("this machine has no CUDA device")
    return cupy


class _Exported:
    """A plane of a device frame, for ``from_dlpack``: gives the capsule without asking for a stream."""

    def __init__(self, plane: Any) -> None:
        self._plane = plane

    def __dlpack_device__(self) -> tuple[int, int]:
        device: tuple[int, int] = self._plane.__dlpack_device__()
        return device

    def __dlpack__(self, **_: Any) -> Any:
        return self._plane.__dlpack__()


class CudaCompositor:
    """See `mixer.composite.compositor.Compositor`. Raises CompositorUnavailable without CuPy, or without a
    device that draws what it is told.

    Composed pictures are NV12 on the device. Pictures in host memory are uploaded when first drawn and
    kept on the device as long as they live, so a held frame crosses the bus once.
    """

    name: Literal["cpu", "cuda"] = "cuda"

    def __init__(self) -> None:
        self._cp = _cupy()
        self._kernel = self._cp.RawKernel(kernel_source(), KERNEL)
        self._planner = Planner(lambda array: int(array.data.ptr))
        self._pictures: WeakKeyDictionary[Picture, Picture] = WeakKeyDictionary()
        self._drawing: list[Scene] = []
        self._bitmaps: WeakKeyDictionary[Bitmap, Bitmap] = WeakKeyDictionary()
        self._prove()

    def compose(self, scenes: Sequence[Scene]) -> list[Picture]:
        outputs = self._draw(scenes) if scenes else []
        # Decoded frames go back to their decoder when they are dropped, so they are kept while the
        # kernel may still read them: until the next call, before which `frame` has waited for it.
        self._drawing = list(scenes)
        return outputs

    @property
    def decoding(self) -> CudaCompositor:
        return self

    def hwaccel(self) -> HWAccel:
        """NVDEC in the primary context, which is CuPy's too; falls back to the CPU for odd formats."""
        return HWAccel("cuda", allow_software_fallback=True, is_hw_owned=True)

    def picture(self, frame: av.VideoFrame) -> Picture:
        """See `mixer.decode.DeviceDecoding`."""
        if frame.format.name != "cuda":
            return limited_picture(frame)
        if frame.sw_format is None or frame.sw_format.name != "nv12":
            return limited_picture(frame.reformat(format="yuv420p", threads=1))
        # PyAV refuses the stream that CuPy would pass, and asks for this instead.
        self._cp.cuda.runtime.deviceSynchronize()
        luma = self._cp.from_dlpack(_Exported(frame.planes[0]))
        chroma = self._cp.from_dlpack(_Exported(frame.planes[1]))
        height, width = frame.height // 2 * 2, frame.width // 2 * 2
        half = chroma[: height // 2, : width // 2]
        return Picture(luma[:height, :width], half[:, :, 0], half[:, :, 1], frame)

    def plan(self, scenes: Sequence[Scene]) -> tuple[Plan, list[Picture]]:
        """Upload what is not on the device yet; gives the plan and the pictures it will draw into."""
        local = [self._localised(scene) for scene in scenes]
        outputs = [self._blank(scene.width, scene.height) for scene in local]
        return self._planner.plan(local, [(picture.y, picture.owner) for picture in outputs]), outputs

    def load(self, plan: Plan) -> tuple[Any, ...]:
        """Copy a plan's tables to the device; gives the kernel's arguments."""
        tables = (plan.programs, plan.ops, plan.bin_start, plan.bin_ops)
        return tuple(self._cp.asarray(table.view(np.uint8)) for table in tables)

    def launch(self, plan: Plan, tables: tuple[Any, ...]) -> None:
        """Start the kernel on the current stream."""
        self._kernel(plan.grid, (*BLOCK, 1), tables)

    def halve(self, picture: Picture) -> Picture:
        width, height = picture.width // 4 * 2, picture.height // 4 * 2
        crop = Box(0, 0, 2 * width, 2 * height)
        paint = Paint(Box(0, 0, width, height), picture, crop)
        # Not `compose`: what that draws is not to be forgotten yet. A composed picture's own memory is given
        # to others in the order of the stream, behind this launch.
        return self._draw([Scene(width, height, BLACK, (paint,))])[0]

    def upload(self, picture: Picture) -> Picture:
        if isinstance(picture.y, self._cp.ndarray):
            return picture
        found = self._pictures.get(picture)
        if found is None:
            found = self._pictures[picture] = self._upload(picture)
        return found

    def frame(self, picture: Picture) -> av.VideoFrame:
        frame = av.VideoFrame(picture.width, picture.height, "nv12")
        plane_rows(frame.planes[0], picture.width, picture.height)[:] = self._cp.asnumpy(picture.y)
        chroma = plane_rows(frame.planes[1], picture.width, picture.height // 2)
        chroma[:] = self._cp.asnumpy(picture.owner)
        return frame

    def _draw(self, scenes: Sequence[Scene]) -> list[Picture]:
        plan, outputs = self.plan(scenes)
        self.launch(plan, self.load(plan))
        return outputs

    def _prove(self) -> None:
        """Compile the kernel and draw with it: with a driver too old for this CuPy, or with a card that is
        full, only that fails, and no picture would ever come of a mixer."""
        colour = Yuv(90, 60, 200)
        failures = (RuntimeError, MemoryError, OSError, ImportError, self._cp.cuda.compiler.CompileException)
        try:
            drawn = picture_of(self.frame(self._draw([Scene(2, 2, colour)])[0]))
        except failures as error:
            raise CompositorUnavailable(f"the CUDA device can't draw: {error}") from error
        if (drawn.y[0, 0], drawn.u[0, 0], drawn.v[0, 0]) != colour:
            raise CompositorUnavailable("the CUDA device draws other colours than it is told")

    def _blank(self, width: int, height: int) -> Picture:
        # Rows padded to 256 bytes, as device memory likes them and NVENC wants them.
        pitch = (width + 255) // 256 * 256
        rows = self._cp.empty((height + height // 2, pitch), self._cp.uint8)
        chroma = rows[height:, :width]
        return Picture(rows[:height, :width], chroma[:, 0::2], chroma[:, 1::2], chroma)

    def _upload(self, picture: Picture) -> Picture:
        target = self._blank(picture.width, picture.height)
        for plane, source in ((target.y, picture.y), (target.u, picture.u), (target.v, picture.v)):
            plane[...] = self._cp.asarray(np.ascontiguousarray(source))
        return target

    def _localised(self, scene: Scene) -> Scene:
        ops: list[Op] = []
        for op in scene.ops:
            if isinstance(op, Paint):
                op = Paint(op.box, self.upload(op.picture), op.crop, op.radius, op.opacity)
            elif isinstance(op, Stamp):
                op = Stamp(op.x, op.y, self._bitmap(op.bitmap), op.opacity)
            ops.append(op)
        return Scene(scene.width, scene.height, scene.background, tuple(ops))

    def _bitmap(self, bitmap: Bitmap) -> Bitmap:
        if isinstance(bitmap.alpha, self._cp.ndarray):
            return bitmap
        found = self._bitmaps.get(bitmap)
        if found is None:
            masks = [self._cp.asarray(np.ascontiguousarray(a)) for a in (bitmap.alpha, bitmap.alpha_chroma)]
            found = self._bitmaps[bitmap] = Bitmap(self._upload(bitmap.picture), masks[0], masks[1])
        return found
