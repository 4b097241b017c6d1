from __future__ import annotations

import av
import numpy as np
import pytest

from mixer.composite import Box, Fill, Paint, Picture, Scene
from mixer.composite.colour import Yuv, yuv_of_hex
from mixer.composite.cpu import CpuCompositor
from mixer.composite.picture import frame_of, picture_of
from mixer.composite.reference import compose_exactly, coverage, psnr_db, scaling_matrix
from tests.unit.mixer.scenes import natural, nv12, scenes


@pytest.mark.parametrize("name", list(scenes()))
def test_golden(name: str) -> None:
    scene = scenes()[name]
    (picture,) = CpuCompositor().compose([scene])
    assert psnr_db(picture, compose_exactly(scene)) >= 45


@pytest.mark.parametrize(("source", "target"), [(9, 3), (10, 4), (7, 7), (3, 10), (1280, 629), (1, 5)])
def test_scaling_weights_sum_to_one(source: int, target: int) -> None:
    weights = scaling_matrix(source, target)
    assert np.allclose(weights.sum(axis=1), 1)
    assert np.allclose(weights, weights[::-1, ::-1])


def test_coverage_is_whole_inside_and_has_the_area_of_the_rounded_rectangle() -> None:
    for pixel in (1, 2):
        mask = coverage(100, 60, 20, pixel)
        assert mask[30 // pixel, 50 // pixel] == 1
        assert mask[0, 0] == 0
        assert mask.sum() * pixel**2 == pytest.approx(100 * 60 - (4 - np.pi) * 400, rel=0.002)
    assert (coverage(10, 10, 0, 1) == 1).all()


def test_colours() -> None:
    assert yuv_of_hex("#000000") == Yuv(16, 128, 128)
    assert yuv_of_hex("#ffffff") == Yuv(235, 128, 128)
    assert yuv_of_hex("#ff0000") == Yuv(81, 90, 240)  # BT.601 colour bars
    with pytest.raises(ValueError, match="colour"):
        yuv_of_hex("red")


def test_scenes_refuse_what_lies_outside() -> None:
    picture = natural(64, 64)
    for box in (Box(0, 0, 66, 10), Box(-2, 0, 10, 10), Box(1, 0, 10, 10), Box(0, 0, 0, 10)):
        with pytest.raises(ValueError, match="even box"):
            Scene(64, 64, Yuv(16, 128, 128), (Fill(box, Yuv(0, 0, 0)),))
    with pytest.raises(ValueError, match="even box"):
        Scene(64, 64, Yuv(16, 128, 128), (Paint(Box(0, 0, 64, 64), picture, Box(2, 0, 64, 64)),))
    with pytest.raises(ValueError, match="even"):
        Scene(63, 64, Yuv(16, 128, 128))


def test_a_held_picture_is_scaled_once_and_forgotten_when_gone() -> None:
    compositor = CpuCompositor()
    scene = scenes()["by-two"]
    first = compositor.compose([scene])[0]
    again = compositor.compose([scene])[0]
    assert (first.y == again.y).all()
    compositor.compose([scenes()["empty"]])
    compositor.compose([scenes()["empty"]])
    assert not compositor._kept
    assert not compositor._scaled


def test_pictures_view_frames_of_any_format() -> None:
    source = natural(66, 50)
    frame = frame_of(source)
    view = picture_of(frame)
    assert (view.y == source.y).all()
    assert (view.v == source.v).all()
    assert frame_of(view) is frame
    interleaved = picture_of(frame.reformat(format="nv12"))
    assert (interleaved.u == source.u).all()
    assert (interleaved.v == nv12(source).v).all()
    wide = av.VideoFrame(65, 49, "yuv444p")
    assert picture_of(wide).y.shape == (48, 64)


def test_a_whole_frame_is_scaled_as_its_planes_are() -> None:
    source, whole = natural(426, 240), Box(0, 0, 426, 240)
    bare = Picture(source.y, source.u, source.v)
    for colourspace, colour_range in ((0, 0), (1, 1), (5, 2)):
        frame = frame_of(source)
        frame.colorspace, frame.color_range = colourspace, colour_range
        drawn = [
            CpuCompositor().compose([Scene(320, 180, Yuv(16, 128, 128), (Paint(box, picture, whole),))])[0]
            for picture in (bare, picture_of(frame))
            for box in [Box(10, 10, 300, 168)]
        ]
        for one, other in zip(*((each.y, each.u, each.v) for each in drawn), strict=True):
            assert np.abs(one.astype(int) - other).max() <= 1


def test_halving_is_the_mean_of_four() -> None:
    source = natural(128, 72)
    half = CpuCompositor().halve(source)
    exact = source.y.reshape(36, 2, 64, 2).mean(axis=(1, 3))
    assert half.y.shape == (36, 64)
    assert np.abs(half.y - exact).max() <= 1
    assert isinstance(half, Picture)
