"""Text and cards, rendered once by Pillow and kept as bitmaps: labels, the lower third, avatars."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import as_file, files
from zlib import crc32

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from mixer.composite.colour import yuv_of_rgb
from mixer.composite.picture import Picture
from mixer.composite.scene import Bitmap

__all__ = ["avatar_card", "bitmap_of_rgba", "label", "lower_third", "picture_of_rgb"]

# Dark enough to carry white letters, far enough apart to tell hosts apart.
_AVATAR_COLOURS = ((37, 99, 235), (190, 24, 93), (4, 120, 87), (180, 83, 9), (109, 40, 217), (14, 116, 144))
_CARD = (30, 36, 48)


@lru_cache(maxsize=32)
def _font(pixels: int) -> ImageFont.FreeTypeFont:
    with as_file(files("mixer") / "fonts" / "DejaVuSans.ttf") as path:
        return ImageFont.truetype(path, pixels)


def picture_of_rgb(rgb: npt.NDArray[np.uint8]) -> Picture:
    """(height, width, 3) sRGB to a picture; an odd last row or column is left out."""
    height, width = rgb.shape[0] // 2 * 2, rgb.shape[1] // 2 * 2
    yuv = yuv_of_rgb(rgb[:height, :width])
    chroma = np.rint(_quarter(yuv[..., 1:])).astype(np.uint8)
    luma = np.rint(yuv[..., 0]).astype(np.uint8)
    return Picture(luma, np.ascontiguousarray(chroma[..., 0]), np.ascontiguousarray(chroma[..., 1]))


def bitmap_of_rgba(rgba: npt.NDArray[np.uint8]) -> Bitmap:
    """(height, width, 4) sRGB with straight alpha to a bitmap; an odd last row or column is left out.

    Chroma is averaged by alpha, so that the colour of transparent pixels does not bleed in.
    """
    height, width = rgba.shape[0] // 2 * 2, rgba.shape[1] // 2 * 2
    rgba = rgba[:height, :width]
    alpha = rgba[..., 3].astype(np.float64)
    yuv = yuv_of_rgb(rgba[..., :3])
    mean = _quarter(alpha)
    weighted = _quarter(yuv[..., 1:] * alpha[..., None]) / np.maximum(mean, 1e-9)[..., None]
    chroma = np.where(mean[..., None] > 0, weighted, 128)
    planes = [
        np.ascontiguousarray(np.rint(p).astype(np.uint8))
        for p in (yuv[..., 0], chroma[..., 0], chroma[..., 1])
    ]
    return Bitmap(
        Picture(planes[0], planes[1], planes[2]),
        np.ascontiguousarray(rgba[..., 3]),
        np.rint(mean).astype(np.uint8),
    )


def _quarter(samples: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Means of two by two."""
    height, width = samples.shape[0] // 2, samples.shape[1] // 2
    return np.asarray(samples.reshape(height, 2, width, 2, *samples.shape[2:]).mean(axis=(1, 3)))


def _width(text: str, pixels: int) -> int:
    return int(np.ceil(_font(pixels).getlength(text)))


def _shortened(text: str, pixels: int, max_width: int) -> str:
    """The longest beginning of ``text`` that fits with an ellipsis, or ``text`` itself."""
    if _width(text, pixels) <= max_width:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if _width(text[:middle].rstrip() + "…", pixels) <= max_width:
            low = middle
        else:
            high = middle - 1
    return text[:low].rstrip() + "…" if low else ""


def _one_line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


@lru_cache(maxsize=256)
def label(name: str, height: int, max_width: int) -> Bitmap | None:
    """A host's name in white on a dark pill ``height`` pixels high; None if not a letter fits."""
    return _plate(_one_line(name), height, max_width, radius=0.3, alpha=0.6)


@lru_cache(maxsize=16)
def lower_third(text: str, height: int, max_width: int) -> Bitmap | None:
    """The caption on a plate ``height`` pixels high; None if not a letter fits."""
    return _plate(_one_line(text), height, max_width, radius=0.15, alpha=0.8)


def _plate(text: str, height: int, max_width: int, radius: float, alpha: float) -> Bitmap | None:
    size, pad = max(8, round(height * 0.6)), round(height * 0.4)
    text = _shortened(text, size, max_width - 2 * pad)
    if not text:
        return None
    width = (_width(text, size) + 2 * pad + 1) // 2 * 2
    height = height // 2 * 2
    image = Image.new("RGBA", (width, height), (0, 0, 0, 0))
    draw = ImageDraw.Draw(image)
    box = (0, 0, width - 1, height - 1)
    draw.rounded_rectangle(box, round(height * radius), (10, 13, 20, round(255 * alpha)))
    draw.text((width / 2, height / 2), text, font=_font(size), fill=(255, 255, 255, 255), anchor="mm")
    return bitmap_of_rgba(np.asarray(image))


@lru_cache(maxsize=64)
def avatar_card(name: str, width: int, height: int) -> Picture:
    """A card with the initials in a coloured disc and the name below, for a host without a picture."""
    name = _one_line(name)
    image = Image.new("RGB", (width, height), _CARD)
    draw = ImageDraw.Draw(image)
    radius, x, y = min(width, height) * 0.22, width / 2, height * 0.44
    colour = _AVATAR_COLOURS[crc32(name.encode()) % len(_AVATAR_COLOURS)]
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
    initials = "".join(word[0] for word in name.split()[:2]).upper()
    draw.text((x, y), initials, font=_font(round(radius * 0.8)), fill="white", anchor="mm")
    size = max(10, round(min(width, height) * 0.07))
    shown = _shortened(name, size, width - size)
    draw.text((x, y + radius * 1.5), shown, font=_font(size), fill=(203, 213, 225), anchor="mm")
    return picture_of_rgb(np.asarray(image))
