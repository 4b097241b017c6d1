"""Draws scenes into YUV 4:2:0 pictures: one interface, a CPU and a CUDA implementation."""

from mixer.composite.compositor import Compositor, CompositorUnavailable, open_compositor
from mixer.composite.picture import Picture
from mixer.composite.scene import Bitmap, Box, Fill, Op, Paint, Scene, Stamp

__all__ = [
    "Bitmap",
    "Box",
    "Compositor",
    "CompositorUnavailable",
    "Fill",
    "Op",
    "Paint",
    "Picture",
    "Scene",
    "Stamp",
    "open_compositor",
]
