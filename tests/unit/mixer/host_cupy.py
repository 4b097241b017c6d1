"""What the CUDA compositor calls of CuPy, over host memory, with the kernel run by the shim.

Everything of the compositor but the card itself runs on any machine.
"""

from __future__ import annotations

import ctypes
from types import SimpleNamespace
from typing import Any

import numpy as np

__all__ = ["CompileException", "host_cupy"]


class Array(np.ndarray[Any, Any]):
    """What is "on the device": not what comes from a decoder or from NumPy."""

    @property
    def data(self) -> Any:
        return SimpleNamespace(ptr=self.ctypes.data)


class CompileException(Exception):
    """As CuPy's, of no more precise base."""


def host_cupy(shim: ctypes.CDLL, failure: Exception | None = None) -> Any:
    """A stand-in for the module ``cupy``. ``failure`` is raised when the kernel is first compiled."""

    def asarray(source: np.ndarray[Any, Any]) -> Array:
        return np.array(source).view(Array)

    def empty(shape: tuple[int, ...], dtype: Any) -> Array:
        return np.full(shape, 0xAA, dtype).view(Array)

    class RawKernel:
        def __init__(self, source: str, name: str) -> None:
            assert f"__global__ void {name}(" in source

        def __call__(
            self, grid: tuple[int, ...], block: tuple[int, ...], arguments: tuple[Array, ...]
        ) -> None:
            if failure is not None:
                raise failure
            sizes = [np.array(size, np.uint32) for size in (grid, block)]
            shim.launch(*(ctypes.c_void_p(each.ctypes.data) for each in (*sizes, *arguments)))

    runtime = SimpleNamespace(getDeviceCount=lambda: 1, deviceSynchronize=lambda: None)
    compiler = SimpleNamespace(CompileException=CompileException)
    return SimpleNamespace(
        ndarray=Array,
        uint8=np.uint8,
        asarray=asarray,
        asnumpy=lambda array: np.array(array),
        empty=empty,
        RawKernel=RawKernel,
        cuda=SimpleNamespace(runtime=runtime, compiler=compiler),
    )
