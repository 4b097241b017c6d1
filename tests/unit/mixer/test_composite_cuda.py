"""The kernel's own text, run on the CPU through a shim, and on a device where there is one."""

from __future__ import annotations

import ctypes
import gc
import shutil
import subprocess
import sys
import weakref
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from mixer.composite import Box, CompositorUnavailable, Fill, Paint, Picture, Scene, open_compositor
from mixer.composite.colour import Yuv
from mixer.composite.cpu import CpuCompositor
from mixer.composite.cuda import CudaCompositor
from mixer.composite.picture import frame_of, picture_of
from mixer.composite.plan import BIN_H, BIN_W, BLOCK, OP, PROGRAM, Plan, Planner, kernel_source
from mixer.composite.reference import compose_exactly, psnr_db
from mixer.decode import VideoDecoder
from mixer.encode import VideoEncoder
from sfu.depacketize import AccessUnit
from sfu.media import Codec
from tests.unit.mixer.host_cupy import CompileException, host_cupy
from tests.unit.mixer.scenes import natural, scenes

COMPILER = shutil.which("g++") or shutil.which("clang++")


def blank_nv12(width: int, height: int) -> Picture:
    chroma = np.zeros((height // 2, width), np.uint8)
    return Picture(np.zeros((height, width), np.uint8), chroma[:, 0::2], chroma[:, 1::2], chroma)


@pytest.fixture(scope="session")
def shim(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    if COMPILER is None:
        pytest.skip("no C++ compiler to run the kernel's text on the CPU")
    folder = tmp_path_factory.mktemp("kernel")
    (folder / "kernel.cu").write_text(kernel_source())
    source = Path(__file__).with_name("kernel_shim.cpp")
    command = [
        COMPILER,
        "-O2",
        "-std=c++14",
        "-Wall",
        "-Werror",
        "-shared",
        "-fPIC",
        f"-I{folder}",
        str(source),
    ]
    subprocess.run([*command, "-o", str(folder / "kernel.so")], check=True)
    return ctypes.CDLL(str(folder / "kernel.so"))


def run_on_cpu(shim: ctypes.CDLL, plan: Plan) -> None:
    def pointer(array: np.ndarray) -> ctypes.c_void_p:
        return ctypes.c_void_p(array.ctypes.data)

    grid, block = np.array(plan.grid, np.uint32), np.array([*BLOCK, 1], np.uint32)
    tables = (plan.programs, plan.ops, plan.bin_start, plan.bin_ops)
    shim.launch(pointer(grid), pointer(block), *(pointer(table) for table in tables))


def compose_by_kernel(shim: ctypes.CDLL, batch: list[Scene]) -> list[Picture]:
    outputs = [blank_nv12(scene.width, scene.height) for scene in batch]
    planner = Planner(lambda array: int(array.ctypes.data))
    run_on_cpu(shim, planner.plan(batch, [(picture.y, picture.owner) for picture in outputs]))
    return outputs


def test_tables_have_the_layout_of_the_structs(shim: ctypes.CDLL) -> None:
    assert shim.size_of_op() == OP.itemsize
    assert shim.size_of_program() == PROGRAM.itemsize


@pytest.mark.parametrize("name", list(scenes()))
def test_kernel_equals_the_exact_compositor_to_rounding(shim: ctypes.CDLL, name: str) -> None:
    scene = scenes()[name]
    (picture,) = compose_by_kernel(shim, [scene])
    exact = compose_exactly(scene)
    assert psnr_db(picture, exact) >= 45
    for plane, wanted in zip((picture.y, picture.u, picture.v), exact, strict=True):
        assert np.abs(plane - wanted).max() <= 0.51


def test_a_batch_of_different_programs_in_one_launch(shim: ctypes.CDLL) -> None:
    small = Scene(130, 34, Yuv(90, 60, 200), (Fill(Box(2, 2, 126, 30), Yuv(200, 128, 128), radius=9),))
    batch = [*scenes().values(), small]
    for scene, picture in zip(batch, compose_by_kernel(shim, batch), strict=True):
        assert psnr_db(picture, compose_exactly(scene)) >= 45


def test_halves_by_the_fast_path(shim: ctypes.CDLL) -> None:
    source = natural(1280, 720)
    scene = Scene(640, 360, Yuv(0, 0, 0), (Paint(Box(0, 0, 640, 360), source, Box(0, 0, 1280, 720)),))
    planner = Planner(lambda array: int(array.ctypes.data))
    out = blank_nv12(640, 360)
    plan = planner.plan([scene], [(out.y, out.owner)])
    assert plan.ops["ratio"][0] == 2
    run_on_cpu(shim, plan)
    assert np.abs(out.y - CpuCompositor().compose([scene])[0].y.astype(int)).max() <= 1


def test_bins_leave_out_what_is_hidden_or_elsewhere() -> None:
    hidden = Fill(Box(0, 0, 4 * BIN_W, 4 * BIN_H), Yuv(1, 2, 3))
    above = Fill(Box(BIN_W, BIN_H, 3 * BIN_W, 3 * BIN_H), Yuv(4, 5, 6))
    soft = Fill(Box(0, 0, 2, 2), Yuv(7, 8, 9), opacity=0.5)
    scene = Scene(4 * BIN_W, 4 * BIN_H, Yuv(0, 0, 0), (hidden, above, soft))
    out = blank_nv12(scene.width, scene.height)
    plan = Planner(lambda array: int(array.ctypes.data)).plan([scene], [(out.y, out.owner)])
    lists = [list(plan.bin_ops[a:b]) for a, b in zip(plan.bin_start, plan.bin_start[1:], strict=False)]
    assert lists[0] == [0, 2]
    assert lists[1:5] == [[0]] * 4
    assert lists[5] == [1]
    assert len(lists) == 16


def test_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(CompositorUnavailable, match="CuPy is not installed"):
        open_compositor("cuda")
    assert open_compositor("auto").name == "cpu"


@pytest.fixture(scope="session")
def card() -> CudaCompositor:
    try:
        return CudaCompositor()
    except CompositorUnavailable as error:
        pytest.skip(f"CUDA compositor: {error}")


@pytest.fixture(params=["host", "card"])
def cuda(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> CudaCompositor:
    """Over host memory everywhere, and on a card where there is one."""
    if request.param == "card":
        return cast(CudaCompositor, request.getfixturevalue("card"))
    monkeypatch.setitem(sys.modules, "cupy", host_cupy(request.getfixturevalue("shim")))
    return CudaCompositor()


@pytest.mark.parametrize("name", list(scenes()))
def test_golden_on_the_device(cuda: CudaCompositor, name: str) -> None:
    scene = scenes()[name]
    (picture,) = cuda.compose([scene])
    frame = cuda.frame(picture)
    assert frame.format.name == "nv12"
    assert psnr_db(picture_of(frame), compose_exactly(scene)) >= 45


def test_batch_and_halve_on_the_device(cuda: CudaCompositor) -> None:
    batch = list(scenes().values())
    for scene, picture in zip(batch, cuda.compose(batch), strict=True):
        assert psnr_db(picture_of(cuda.frame(picture)), compose_exactly(scene)) >= 45
        half = picture_of(cuda.frame(cuda.halve(picture)))
        assert (half.width, half.height) == (scene.width // 2, scene.height // 2)


def test_what_is_drawn_lives_until_the_next_picture(cuda: CudaCompositor) -> None:
    whole = Box(0, 0, 64, 36)
    decoded = natural(64, 36)
    held = weakref.ref(decoded)
    (picture,) = cuda.compose([Scene(64, 36, Yuv(0, 0, 0), (Paint(whole, decoded, whole),))])
    del decoded
    cuda.halve(picture)  # the kernel may still read what the first launch draws
    assert held() is not None
    cuda.compose([Scene(64, 36, Yuv(0, 0, 0))])
    gc.collect()
    assert held() is None


def test_a_device_that_can_not_compile_is_not_chosen(
    shim: ctypes.CDLL, monkeypatch: pytest.MonkeyPatch
) -> None:
    for failure in (CompileException("nvrtc: error: invalid value for --gpu-architecture"), MemoryError()):
        monkeypatch.setitem(sys.modules, "cupy", host_cupy(shim, failure))
        with pytest.raises(CompositorUnavailable, match="can't draw"):
            open_compositor("cuda")
        assert open_compositor("auto").name == "cpu"


def test_decoded_frames_stay_on_the_device_and_draw_the_same(card: CudaCompositor) -> None:
    encoder = VideoEncoder((640, 360), 30, 1_000_000, names=("libx264",), threads=1)
    units = [
        AccessUnit(unit.data, unit.rtp_time, unit.keyframe, 0, False, 640, 360)
        for n in range(6)
        for unit in encoder.encode(frame_of(natural(640, 360, n)), n * 3000)
    ]
    h264 = Codec("H264", 90_000)
    on_cpu = VideoDecoder(h264).decode(units, 0).pictures
    on_device = VideoDecoder(h264, card).decode(units, 0).pictures
    assert len(on_cpu) >= 5
    for (_, one), (_, other) in zip(on_cpu, on_device, strict=False):
        whole = Box(0, 0, 640, 360)
        scene = [Scene(640, 360, Yuv(0, 0, 0), (Paint(whole, picture, whole),)) for picture in (one, other)]
        first, second = (picture_of(card.frame(picture)) for picture in card.compose(scene))
        assert (first.y == second.y).all()
        assert (first.u == second.u).all()
        assert (first.v == second.v).all()


def test_a_source_that_the_device_does_not_decode_is_decoded_on_the_cpu(cuda: CudaCompositor) -> None:
    """Here the device is a host's memory, which decodes nothing; on a card it decodes this."""
    encoder = VideoEncoder((64, 36), 30, 100_000, names=("libx264",), threads=1)
    (unit,) = encoder.encode(frame_of(natural(64, 36)), 0)
    access_unit = AccessUnit(unit.data, unit.rtp_time, True, 0, False, 64, 36)
    decoded = VideoDecoder(Codec("H264", 90_000), cuda).decode([access_unit], 0)
    ((_, picture),) = decoded.pictures
    whole = Box(0, 0, 64, 36)
    (drawn,) = cuda.compose([Scene(64, 36, Yuv(0, 0, 0), (Paint(whole, picture, whole),))])
    exact = compose_exactly(Scene(64, 36, Yuv(0, 0, 0), (Paint(whole, natural(64, 36), whole),)))
    assert psnr_db(picture_of(cuda.frame(drawn)), exact) > 25
