"""The GPU part of the benchmark: microseconds per composition beside what memory bandwidth allows."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from mixer.composite import Box, CompositorUnavailable, Paint, Picture, Scene
from mixer.composite.colour import BLACK
from mixer.composite.cpu import CpuCompositor
from mixer.composite.cuda import CudaCompositor
from mixer.composite.picture import blank, frame_of, picture_of
from mixer.composite.reference import compose_exactly, psnr_db
from mixer.decode import VideoDecoder
from mixer.encode import VideoEncoder
from sfu.depacketize import AccessUnit
from sfu.media import Codec

__all__ = ["run_gpu"]

SOURCE, TARGET, TILES = (1280, 720), (1920, 1080), 9
BATCHES = (1, 16, 64)
# Enough different input for one launch after another to miss the 50 MB of second-level cache.
SETS_BYTES = 400_000_000
_NOISE = np.random.default_rng(5).integers(40, 200, (500, 200), dtype=np.uint8)


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
    result["end_to_end"] = _end_to_end(compositor, progress)
    return {"gpu": result}


def _end_to_end(compositor: CudaCompositor, progress: Callable[[str], None]) -> dict[str, Any]:
    """Nine H.264 inputs of 720p decoded and composed, tick after tick, as fast as it goes.

    ``pictures_per_s`` of one process, and ``programs_at_60`` that this would carry; ``decoded_on`` says
    where. Nothing is encoded: cards for servers often have no encoder.
    """
    ticks = 120
    encoder = VideoEncoder(SOURCE, 30, 2_500_000, names=("libx264",), preset="veryfast")
    units = []
    for tick in range(ticks):
        picture = blank(*SOURCE)
        picture.y[:] = 60 + tick % 60
        picture.y[100:600, 8 * tick % 1000 :][:, :200] = _NOISE
        units += encoder.encode(frame_of(picture), tick * 3000)
    codec = Codec("H264", 90_000)
    decoders = [VideoDecoder(codec, compositor) for _ in range(TILES)]
    newest: list[Picture | None] = [None] * TILES
    drawn, started = 0, 0.0
    with ThreadPoolExecutor(TILES) as pool:
        for number, unit in enumerate(units):
            if number == 20:  # opening decoders and compiling are not counted
                drawn, started = 0, time.perf_counter()
            access_unit = AccessUnit(unit.data, unit.rtp_time, unit.keyframe, 0, False, *SOURCE)
            for n, decoded in enumerate(pool.map(lambda d: d.decode([access_unit], 0), decoders)):  # noqa: B023
                newest[n] = decoded.pictures[-1][1] if decoded.pictures else newest[n]
            shown = [picture for picture in newest if picture is not None]
            if len(shown) == TILES:
                compositor.frame(compositor.compose([grid(shown)])[0])
                drawn += 1
    per_s = drawn / (time.perf_counter() - started)
    first = newest[0]
    on = "nothing" if first is None else "cpu" if isinstance(first.y, np.ndarray) else "device"
    progress(f"end to end: {per_s:.0f} pictures a second, decoded on {on}")
    return {"pictures_per_s": round(per_s, 1), "programs_at_60": round(per_s / 60, 2), "decoded_on": on}


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
