"""From an arrangement and the hosts' newest pictures to the scene that a compositor draws."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from mixer.assets import Assets
from mixer.composite.colour import BLACK, yuv_of_hex
from mixer.composite.picture import Picture
from mixer.composite.scene import Box, Fill, Op, Paint, Scene, Stamp
from mixer.composite.text import avatar_card, label, lower_third
from mixer.layout import Arrangement, Rect, Subject, Tile
from mixer.layout.geometry import Fit

__all__ = ["box_of", "fit_crop", "stage_scene"]

# Fractions of the picture's height.
LABEL = 0.032
MARGIN = 0.025
LOGO_HEIGHT, LOGO_WIDTH = 0.09, 0.2
LOWER_THIRD = 0.06
# A picture up to 6 % larger than its box (or than twice its box) is cropped rather than scaled: sharper,
# and free. The gaps of a grid take 2 to 3 % off a cell of exactly a third or a half.
SNAP = 1.06
# A picture whose shape is off by so little is scaled whole: nobody sees that, and a whole picture costs a
# sixth to a quarter less. The tiles of sixteen are off by 1.7 %.
SQUEEZE = 0.02
_CARDS = ((640, 360), (480, 480), (360, 640))


@lru_cache(maxsize=256)
def box_of(rect: Rect, width: int, height: int) -> Box:
    """The even box nearest to ``rect`` inside a picture of the given size, at least 2 x 2."""
    left = min(max(round(rect.x / 2) * 2, 0), width - 2)
    top = min(max(round(rect.y / 2) * 2, 0), height - 2)
    right = min(max(round((rect.x + rect.w) / 2) * 2, left + 2), width)
    bottom = min(max(round((rect.y + rect.h) / 2) * 2, top + 2), height)
    return Box(left, top, right - left, bottom - top)


def _even(value: float, low: int, high: int) -> int:
    return min(max(round(value / 2) * 2, low), high)


@lru_cache(maxsize=256)
def fit_crop(picture: tuple[int, int], box: Box, fit: Fit) -> tuple[Box, Box]:
    """Which part of a picture of (width, height) goes where: (box, crop), all even."""
    width, height = picture
    if fit == "contain":
        scale = min(box.w / width, box.h / height)
        w, h = _even(width * scale, 2, box.w), _even(height * scale, 2, box.h)
        x, y = box.x + (box.w - w) // 4 * 2, box.y + (box.h - h) // 4 * 2
        return Box(x, y, w, h), Box(0, 0, width, height)
    w = _even(min(width, height * box.w / box.h), 2, width)
    h = _even(min(height, width * box.h / box.w), 2, height)
    for factor in (1, 2):
        exact_w, exact_h = factor * box.w, factor * box.h
        if exact_w <= w <= exact_w * SNAP and exact_h <= h <= exact_h * SNAP:
            w, h = exact_w, exact_h
            break
    else:
        if w > width * (1 - SQUEEZE) and h > height * (1 - SQUEEZE):
            return box, Box(0, 0, width, height)
    # Multiples of 4 keep the rows of a crop aligned for 32-bit loads.
    return box, Box((width - w) // 2 // 4 * 4, (height - h) // 2 // 4 * 4, w, h)


def stage_scene(
    arrangement: Arrangement,
    pictures: Mapping[Subject, Picture | None],
    names: Mapping[str, str],
    assets: Assets,
) -> Scene:
    """The scene of ``arrangement``; a subject without a picture gets a card with the host's name.

    ``names`` are the hosts' names by participant; an unknown asset is as if none had been named.
    """
    width, height = arrangement.width, arrangement.height
    ops: list[Op] = []
    background = BLACK
    if arrangement.background.startswith("#"):
        background = yuv_of_hex(arrangement.background)
    elif (image := assets.background(arrangement.background, width, height)) is not None:
        whole = Box(0, 0, width, height)
        ops.append(Paint(whole, image, whole))
    for tile in arrangement.tiles:
        _tile(ops, tile, pictures.get(tile.subject), names, width, height)
    if arrangement.logo is not None:
        logo = assets.logo(arrangement.logo, int(width * LOGO_WIDTH), int(height * LOGO_HEIGHT))
        if logo is not None:
            margin = round(height * MARGIN / 2) * 2
            ops.append(Stamp(width - margin - logo.picture.width, margin, logo))
    if arrangement.lower_third:
        plate = round(height * LOWER_THIRD / 2) * 2
        left = round(width * 0.05 / 2) * 2
        caption = lower_third(arrangement.lower_third, plate, width - 2 * left)
        if caption is not None:
            y = round(height * 0.86 / 2) * 2
            ops.append(Stamp(left, y, caption, arrangement.lower_third_opacity))
    return Scene(width, height, background, tuple(ops))


def _tile(
    ops: list[Op], tile: Tile, picture: Picture | None, names: Mapping[str, str], width: int, height: int
) -> None:
    outer = box_of(tile.rect, width, height)
    radius, border = tile.radius, round(tile.border / 2) * 2
    inner = outer
    if border and min(outer.w, outer.h) > 4 * border:
        ops.append(Fill(outer, yuv_of_hex(tile.border_colour), radius, tile.opacity))
        inner = Box(outer.x + border, outer.y + border, outer.w - 2 * border, outer.h - 2 * border)
        radius = max(radius - border, 0.0)
    card = picture is None
    if picture is None:
        aspect = inner.w / inner.h
        size = min(_CARDS, key=lambda c: max(c[0] / c[1] / aspect, aspect * c[1] / c[0]))
        picture = avatar_card(names.get(tile.subject.participant_id, ""), *size)
    box, crop = fit_crop((picture.width, picture.height), inner, "cover" if card else tile.fit)
    ops.append(Paint(box, picture, crop, radius, tile.opacity))
    plate = round(height * LABEL / 2) * 2
    if tile.label and not card and box.h > 3 * plate:
        inset = plate // 4 * 2
        # Steps of 32: a tile that changes size in a transition must not render its label each frame.
        name = label(tile.label, plate, (box.w - 2 * inset) // 32 * 32)
        if name is not None:
            y = box.y + box.h - inset - name.picture.height
            ops.append(Stamp(box.x + inset, y, name, tile.opacity))
