"""Uploaded images: backgrounds and logos, decoded once and bounded before they are decoded."""

from __future__ import annotations

import io
from collections.abc import Container
from threading import Lock
from typing import Literal

import numpy as np
from PIL import Image, ImageOps

from mixer.composite.picture import Picture
from mixer.composite.scene import Bitmap
from mixer.composite.text import bitmap_of_rgba, picture_of_rgb

__all__ = ["FORMATS", "MAX_BYTES", "MAX_PIXELS", "AssetError", "Assets", "read_image"]

MAX_PIXELS = 16_000_000
"""A 4K background with some room; 16 MP of RGBA are 64 MB while decoding."""
MAX_BYTES = 8 << 20
FORMATS = ("PNG", "JPEG", "WEBP")


class AssetError(ValueError):
    """An image that can't be used; the message says why and what to upload instead."""

    def __init__(self, code: Literal["bytes", "pixels", "format"], message: str) -> None:
        super().__init__(message)
        self.code = code


def read_image(data: bytes) -> Image.Image:
    """A PNG, JPEG or WebP (of an animation the first picture) as RGBA, turned upright. Raises AssetError.

    What is too large is refused by its header: no pixel of it is decoded.
    """
    if len(data) > MAX_BYTES:
        raise AssetError("bytes", f"the image has {len(data)} bytes; give at most {MAX_BYTES}")
    try:
        # Pillow reads a PNG's or JPEG's header only, but allocates a WebP's canvas at once.
        _check_size(_webp_size(data))
        file = Image.open(io.BytesIO(data), formats=FORMATS)
        _check_size(file.size)
        return ImageOps.exif_transpose(file).convert("RGBA")
    except AssetError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise AssetError("pixels", "the image is far too large; give at most 16 megapixels") from error
    # Pillow's decoders raise whatever their format module likes for damaged files.
    except (
        OSError,
        ValueError,
        SyntaxError,
        Warning,
        EOFError,
        IndexError,
        KeyError,
        TypeError,
    ) as error:
        raise AssetError("format", "the image can't be read; upload a PNG, JPEG or WebP file") from error


def _check_size(size: tuple[int, int]) -> None:
    width, height = size
    if width * height > MAX_PIXELS:
        raise AssetError("pixels", f"the image is {width} x {height}; give at most 16 megapixels")


def _webp_size(data: bytes) -> tuple[int, int]:
    """Of the canvas, by the first chunk (RFC 9649 sections 2.4 to 2.7); (0, 0) for what is no WebP."""
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP":
        return 0, 0
    match data[12:16]:
        case b"VP8X":
            return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
        case b"VP8L":
            bits = int.from_bytes(data[21:25], "little")
            return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
        case b"VP8 ":
            # RFC 6386 section 9.1: behind the frame tag and the start code, 14 bits each.
            width, height = int.from_bytes(data[26:28], "little"), int.from_bytes(data[28:30], "little")
            return width & 0x3FFF, height & 0x3FFF
        case _:
            return 0, 0


class Assets:
    """Images by id, and what has been made of them for one size of picture. Safe to use from two threads:
    one adds, one draws."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._images: dict[str, Image.Image] = {}
        self._backgrounds: dict[tuple[str, int, int], Picture] = {}
        self._logos: dict[tuple[str, int, int], Bitmap] = {}

    def add(self, asset_id: str, data: bytes) -> None:
        """Decode an image; an id used before gets the new one. Raises AssetError."""
        image = read_image(data)
        with self._lock:
            self._forget(asset_id)
            self._images[asset_id] = image

    def keep(self, asset_ids: Container[str]) -> None:
        """Forget all others."""
        with self._lock:
            for asset_id in [each for each in self._images if each not in asset_ids]:
                self._forget(asset_id)

    def _forget(self, asset_id: str) -> None:
        self._images.pop(asset_id, None)
        for key in [key for key in self._backgrounds if key[0] == asset_id]:
            del self._backgrounds[key]
        for key in [key for key in self._logos if key[0] == asset_id]:
            del self._logos[key]

    def __contains__(self, asset_id: str) -> bool:
        return asset_id in self._images

    def background(self, asset_id: str, width: int, height: int) -> Picture | None:
        """The image cropped and scaled over the whole picture; None for an unknown id."""
        key = (asset_id, width, height)
        with self._lock:
            if asset_id in self._images and key not in self._backgrounds:
                image = self._images[asset_id].convert("RGB")
                image = ImageOps.fit(image, (width, height), Image.Resampling.BOX)
                self._backgrounds[key] = picture_of_rgb(np.asarray(image))
            return self._backgrounds.get(key)

    def logo(self, asset_id: str, max_width: int, max_height: int) -> Bitmap | None:
        """The image scaled to fit, alpha kept; None for an unknown id."""
        key = (asset_id, max_width, max_height)
        with self._lock:
            if asset_id in self._images and key not in self._logos:
                image = ImageOps.contain(
                    self._images[asset_id], (max_width, max_height), Image.Resampling.LANCZOS
                )
                if image.width < 2 or image.height < 2:
                    return None
                self._logos[key] = bitmap_of_rgba(np.asarray(image))
            return self._logos.get(key)
