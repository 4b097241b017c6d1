from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mixer.assets import AssetError, Assets
from mixer.composite import Box, Paint, Picture, Stamp
from mixer.composite.cpu import CpuCompositor
from mixer.composite.text import avatar_card, bitmap_of_rgba, label
from mixer.layout import Host, LayoutSpec, Rect, Subject, arrange, interpolate
from mixer.staging import box_of, fit_crop, stage_scene
from tests.unit.mixer.scenes import natural


def png(colour: tuple[int, ...], size: tuple[int, int] = (40, 20), format: str = "PNG") -> bytes:
    out = io.BytesIO()
    Image.new("RGBA" if len(colour) == 4 else "RGB", size, colour).save(out, format)
    return out.getvalue()


def solid(y: int, width: int = 640, height: int = 360) -> Picture:
    shape = (height // 2, width // 2)
    return Picture(
        np.full((height, width), y, np.uint8), np.full(shape, 128, np.uint8), np.full(shape, 128, np.uint8)
    )


@given(
    st.tuples(*(st.floats(-50, 2000),) * 4),
    st.integers(1, 960),
    st.integers(1, 540),
    st.sampled_from(["cover", "contain"]),
)
def test_boxes_and_crops_are_always_legal(rect: tuple[float, ...], w: int, h: int, fit: str) -> None:
    box = box_of(Rect(*rect), 1920, 1080)
    placed, crop = fit_crop((2 * w, 2 * h), box, fit)  # type: ignore[arg-type]
    for inside, (width, height) in ((placed, (1920, 1080)), (crop, (2 * w, 2 * h))):
        assert not any(value % 2 for value in inside)
        assert min(inside.w, inside.h) >= 2
        assert min(inside.x, inside.y) >= 0
        assert inside.x + inside.w <= width
        assert inside.y + inside.h <= height


def test_nearly_exact_pictures_are_cropped_and_not_scaled() -> None:
    box = Box(4, 4, 630, 350)
    assert fit_crop((640, 360), box, "cover") == (box, Box(4, 4, 630, 350))
    assert fit_crop((1280, 720), box, "cover")[1] == Box(8, 8, 1260, 700)
    assert fit_crop((1920, 1080), box, "cover")[1] == Box(0, 0, 1920, 1080), "its shape is off by 1.3 %"
    assert fit_crop((1920, 1080), Box(4, 4, 630, 346), "cover")[1] == Box(0, 12, 1920, 1054)


def test_each_host_is_where_the_layout_says() -> None:
    hosts = [Host(f"p{n}", f"Host {n}") for n in range(4)]
    pictures = {Subject(f"p{n}"): solid(60 + 40 * n) for n in range(4)}
    arrangement = arrange(hosts, LayoutSpec("grid"), (1280, 720), None)
    scene = stage_scene(arrangement, pictures, {}, Assets())
    (picture,) = CpuCompositor().compose([scene])
    for n, tile in enumerate(arrangement.tiles):
        rect = tile.rect
        assert picture.y[int(rect.y + rect.h / 2), int(rect.x + rect.w / 2)] == 60 + 40 * n
    assert sum(isinstance(op, Stamp) for op in scene.ops) == 4


@pytest.mark.parametrize("layout", ["grid", "spotlight", "side-by-side", "picture-in-picture"])
def test_every_step_of_every_transition_can_be_drawn(layout: str) -> None:
    hosts = [
        Host(f"p{n}", "A name that is far too long for a small tile " * 3, screen=n == 2) for n in range(16)
    ]
    few = arrange(hosts[:2], LayoutSpec("grid", lower_third="News"), (640, 360), "p0")
    many = arrange(hosts, LayoutSpec(layout, lower_third="News"), (640, 360), "p1")  # type: ignore[arg-type]
    pictures: dict[Subject, Picture | None] = {
        Subject(f"p{n}"): natural(320, 180, n) for n in range(0, 16, 2)
    }
    compositor = CpuCompositor()
    for step in range(11):
        for start, end in ((few, many), (many, few)):
            compositor.compose(
                [stage_scene(interpolate(start, end, step / 10), pictures, {"p1": "Ada"}, Assets())]
            )


def test_a_host_without_a_picture_gets_a_card_with_the_name() -> None:
    arrangement = arrange([Host("p", "Ada Lovelace"), Host("q", "")], LayoutSpec("side-by-side"), (640, 360))
    scene = stage_scene(arrangement, {Subject("p"): None}, {"p": "Ada Lovelace"}, Assets())
    cards = [op.picture for op in scene.ops if isinstance(op, Paint)]
    assert cards[0] is avatar_card("Ada Lovelace", 480, 480)
    assert np.ptp(cards[0].y) > 150
    assert not any(isinstance(op, Stamp) for op in scene.ops)


def test_labels_are_cut_to_their_tile_and_have_letters() -> None:
    short, cut = label("Ada", 32, 400), label("Ada Augusta King, Countess of Lovelace", 32, 200)
    assert short is not None
    assert cut is not None
    assert short.picture.width < 120
    assert cut.picture.width <= 200
    assert short.picture.y[short.alpha > 250].max() == 235
    assert label("Ada", 32, 20) is None
    assert label("\x00\x1b[31m\n", 32, 400) is not None
    assert label("\n", 32, 400) is None


def test_bitmaps_do_not_bleed_the_colour_of_transparent_pixels() -> None:
    rgba = np.zeros((4, 4, 4), np.uint8)
    rgba[..., 1] = 255
    rgba[:, 1::2] = (255, 0, 0, 255)
    bitmap = bitmap_of_rgba(rgba)
    assert (bitmap.picture.v == 240).all()
    assert (bitmap.alpha_chroma == 128).all()


def test_background_logo_and_lower_third_are_drawn() -> None:
    assets = Assets()
    assets.add("wall", png((255, 0, 0)))
    assets.add("logo", png((255, 255, 255, 255)))
    arrangement = arrange([], LayoutSpec(background="wall", logo="logo", lower_third="Tonight"), (1280, 720))
    (picture,) = CpuCompositor().compose([stage_scene(arrangement, {}, {}, assets)])
    assert picture.y[360, 20] == 81
    assert picture.v[180, 10] == 240
    assert picture.y[30, 1280 - 40] == 235
    assert picture.y[650, 90:200].max() > 200
    unknown = arrange([], LayoutSpec(background="gone", logo="gone"), (1280, 720))
    assert stage_scene(unknown, {}, {}, assets).ops == ()


def test_assets_refuse_what_is_no_image_or_too_large() -> None:
    assets = Assets()
    for data in (b"", b"\x89PNG\r\n\x1a\n", png((1, 2, 3))[:60], b"<svg/>", png((0, 0, 0), format="GIF")):
        with pytest.raises(AssetError, match="PNG, JPEG or WebP"):
            assets.add("x", data)
    with pytest.raises(AssetError, match="16 megapixels"):
        assets.add("x", png((0, 0, 0), (5000, 4000)))
    assert "x" not in assets
