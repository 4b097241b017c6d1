"""The GPU part of the benchmark: microseconds per composition beside what memory bandwidth allows."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from mixer.composite import Box, CompositorUnavailable, Paint, Picture, Scene
from mixer.composite.colour import BLACK
from mixer.composite.cpu import CpuCompositor
from mixer.composite.cuda import CudaCompositor
from mixer.composite.picture import picture_of
from mixer.composite.reference import compose_exactly, psnr_db

__all__ = ["run_gpu"]

SOURCE, TARGET, TILES = (1280, 720), (1920, 1080), 9
BATCHES = (1, 16, 64)
# Enough different input for one launch after another to miss the 50 MB of second-level cache.
SETS_BYTES = 400_000_000


def grid(pictures: list[Picture], target: tuple[int, int] = TARGET) -> Scene:
    """Nine pictures, three by three, without gaps."""
    columns = 3
    width, height = target[0] // columns, target[1] // columns
    ops = tuple(
        Paint(
            Box(n % columns * width, n // columns * height, width, height),
            picture,
            Box(0, 0, picture.width, picture.height),
        )
        for n, picture in enumerate(pictures)
    )
    return Scene(target[0], target[1], BLACK, ops)


def _random_picture(seed: int) -> Picture:
    rng = np.random.default_rng(seed)
    width, height = SOURCE
    shapes = ((height, width), (height // 2, width // 2), (height // 2, width // 2))
    return Picture(*(rng.integers(16, 236, shape, dtype=np.uint8) for shape in shapes))


def run_gpu(progress: Callable[[str], None]) -> dict[str, Any]:
    """``{"gpu": {...}}``, or ``{}`` and a line of progress where there is no device.

    Per batch: ``us_per_program`` (kernel alone, events on the stream), ``floor_us`` (bytes read and
    written at the bandwidth of a device-to-device copy), ``ratio``, and ``host_us_per_program``
    (planning and launching, wall time). Beside them PSNR against the exact compositor and the CPU's.
    """
    try:
        compositor = CudaCompositor()
    except CompositorUnavailable as error:
        progress(f"no GPU part: {error}")
        return {}
    import cupy as cp

    device = cp.cuda.runtime.getDeviceProperties(cp.cuda.Device().id)
    card = device["name"].decode()
    progress(f"GPU: {card}")
    bandwidth = _copy_bandwidth(cp)
    one_picture = SOURCE[0] * SOURCE[1] * 3 // 2
    bytes_per_program = TILES * one_picture + TARGET[0] * TARGET[1] * 3 // 2
    floor_us = bytes_per_program / bandwidth * 1e6
    sources = [_random_picture(n) for n in range(TILES)]

    result: dict[str, Any] = {
        "card": card,
        "date": time.strftime("%Y-%m-%d"),
        "bandwidth_gb_s": round(bandwidth / 1e9),
        "floor_us": round(floor_us, 2),
        "batches": {},
    }
    for batch in BATCHES:
        sets = max(1, SETS_BYTES // (batch * bytes_per_program))
        prepared = []
        for _ in range(sets):
            # Fresh copies for each program, or all would be read from the cache.
            fresh = [[compositor.upload(_copy(picture)) for picture in sources] for _ in range(batch)]
            scenes = [grid(pictures) for pictures in fresh]
            started = time.perf_counter()
            prepared.append(_prepare(compositor, scenes))
            host_us = (time.perf_counter() - started) * 1e6 / batch
        us = _time_launches(cp, compositor, prepared) / batch
        result["batches"][str(batch)] = {
            "us_per_program": round(us, 2),
            "floor_us": round(floor_us, 2),
            "ratio": round(us / floor_us, 2),
            "host_us_per_program": round(host_us, 1),
        }
        progress(f"batch of {batch}: {us:.1f} us per program, floor {floor_us:.1f}")
    scene = grid(sources)
    drawn = picture_of(compositor.frame(compositor.compose([scene])[0]))
    exact = compose_exactly(scene)
    on_cpu = CpuCompositor().compose([scene])[0]
    result["psnr_exact_db"] = round(psnr_db(drawn, exact), 1)
    as_floats = (on_cpu.y.astype(float), on_cpu.u.astype(float), on_cpu.v.astype(float))
    result["psnr_cpu_db"] = round(psnr_db(drawn, as_floats), 1)
    return {"gpu": result}


def _copy(picture: Picture) -> Picture:
    return Picture(picture.y, picture.u, picture.v)


def _prepare(compositor: CudaCompositor, scenes: list[Scene]) -> tuple[Any, Any, Any]:
    """(plan, tables, outputs) of a batch; the outputs are kept so that their memory stays."""
    plan, outputs = compositor.plan(scenes)
    return plan, compositor.load(plan), outputs


def _copy_bandwidth(cp: Any) -> float:
    """Bytes per second, read and write counted, of a copy of 1 GB within the device."""
    source = cp.zeros(1 << 30, cp.uint8)
    target = cp.empty_like(source)
    for _ in range(3):
        cp.copyto(target, source)
    start, end = cp.cuda.Event(), cp.cuda.Event()
    start.record()
    for _ in range(10):
        cp.copyto(target, source)
    end.record()
    end.synchronize()
    return float(20 * source.nbytes / (cp.cuda.get_elapsed_time(start, end) / 1e3))


def _time_launches(cp: Any, compositor: CudaCompositor, prepared: list[tuple[Any, Any, Any]]) -> float:
    """Microseconds per launch, the median of five rounds over all prepared batches."""
    rounds = []
    for round_number in range(6):
        start, end = cp.cuda.Event(), cp.cuda.Event()
        repeats = max(1, 64 // len(prepared))
        start.record()
        for _ in range(repeats):
            for plan, tables, _ in prepared:
                compositor.launch(plan, tables)
        end.record()
        end.synchronize()
        if round_number:  # the first round compiles
            rounds.append(cp.cuda.get_elapsed_time(start, end) * 1e3 / (repeats * len(prepared)))
    return float(np.median(rounds))
