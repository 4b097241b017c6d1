"""Uploaded images: backgrounds and logos, decoded once and bounded before they are decoded."""

from __future__ import annotations

import io
import warnings

import numpy as np
from PIL import Image, ImageOps

from mixer.composite.picture import Picture
from mixer.composite.scene import Bitmap
from mixer.composite.text import bitmap_of_rgba, picture_of_rgb

__all__ = ["AssetError", "Assets"]

# A 4K background with some room; 16 MP of RGBA are 64 MB while decoding.
MAX_PIXELS = 16_000_000
MAX_BYTES = 16 << 20
FORMATS = ("PNG", "JPEG", "WEBP")


class AssetError(ValueError):
    """An image that can't be used; the message says why and what to upload instead."""


class Assets:
    """Images by id, and what has been made of them for one size of picture."""

    def __init__(self) -> None:
        self._images: dict[str, Image.Image] = {}
        self._backgrounds: dict[tuple[str, int, int], Picture] = {}
        self._logos: dict[tuple[str, int, int], Bitmap] = {}

    def add(self, asset_id: str, data: bytes) -> None:
        """Decode an image; an id used before gets the new one. Raises AssetError."""
        if len(data) > MAX_BYTES:
            raise AssetError(f"the image has {len(data)} bytes; give at most {MAX_BYTES}")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", Image.DecompressionBombWarning)
                file = Image.open(io.BytesIO(data), formats=FORMATS)
                if file.width * file.height > MAX_PIXELS:
                    raise AssetError(f"the image is {file.width} x {file.height}; give at most 16 megapixels")
                image = ImageOps.exif_transpose(file).convert("RGBA")
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
            if isinstance(error, AssetError):
                raise
            raise AssetError("the image can't be read; upload a PNG, JPEG or WebP file") from error
        self._images[asset_id] = image
        for made in (self._backgrounds, self._logos):
            for key in [key for key in made if key[0] == asset_id]:
                del made[key]

    def __contains__(self, asset_id: str) -> bool:
        return asset_id in self._images

    def background(self, asset_id: str, width: int, height: int) -> Picture | None:
        """The image cropped and scaled over the whole picture; None for an unknown id."""
        key = (asset_id, width, height)
        if asset_id in self._images and key not in self._backgrounds:
            image = ImageOps.fit(self._images[asset_id].convert("RGB"), (width, height), Image.Resampling.BOX)
            self._backgrounds[key] = picture_of_rgb(np.asarray(image))
        return self._backgrounds.get(key)

    def logo(self, asset_id: str, max_width: int, max_height: int) -> Bitmap | None:
        """The image scaled to fit, alpha kept; None for an unknown id."""
        key = (asset_id, max_width, max_height)
        if asset_id in self._images and key not in self._logos:
            image = ImageOps.contain(
                self._images[asset_id], (max_width, max_height), Image.Resampling.LANCZOS
            )
            if image.width < 2 or image.height < 2:
                return None
            self._logos[key] = bitmap_of_rgba(np.asarray(image))
        return self._logos.get(key)
