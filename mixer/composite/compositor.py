"""The interface of all compositors, and the choice of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, Protocol

import av

from mixer.composite.picture import Picture
from mixer.composite.scene import Scene

if TYPE_CHECKING:
    from mixer.decode import DeviceDecoding

__all__ = ["Compositor", "CompositorUnavailable", "open_compositor"]


class CompositorUnavailable(RuntimeError):
    """The wanted compositor can't run on this machine; the message says what is missing."""


class Compositor(Protocol):
    """Draws scenes. Not to be called by two threads at once."""

    @property
    def name(self) -> Literal["cpu", "cuda"]: ...

    @property
    def decoding(self) -> DeviceDecoding | None:
        """How to decode so that pictures are already where this compositor reads; None: on the CPU."""
        ...

    def compose(self, scenes: Sequence[Scene]) -> list[Picture]:
        """Draw each scene into a new picture, where the compositor keeps pictures (see ``upload``)."""
        ...

    def halve(self, picture: Picture) -> Picture:
        """The picture at half width and height (rounded down to even), by area mean."""
        ...

    def upload(self, picture: Picture) -> Picture:
        """Bring a picture in host memory to where this compositor reads; no copy on the CPU."""
        ...

    def frame(self, picture: Picture) -> av.VideoFrame:
        """A composed picture as a software frame that an encoder takes."""
        ...


def open_compositor(kind: Literal["auto", "cpu", "cuda"] = "auto") -> Compositor:
    """The CUDA compositor where a device answers, else the CPU's; ``cuda`` insists.

    Raises CompositorUnavailable when CUDA is insisted on and missing.
    """
    if kind != "cpu":
        try:
            from mixer.composite.cuda import CudaCompositor

            return CudaCompositor()
        except CompositorUnavailable:
            if kind == "cuda":
                raise
    from mixer.composite.cpu import CpuCompositor

    return CpuCompositor()
