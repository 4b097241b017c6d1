"""What is kept of an upload: the picture alone, no larger than a program and small enough for a message."""

from __future__ import annotations

import asyncio
import io
from dataclasses import dataclass

from PIL import Image

from mixer.assets import FORMATS, MAX_BYTES, MAX_PIXELS, AssetError, read_image
from signaling.problems import problem, sentence

__all__ = ["KEPT_TYPE", "MAX_BYTES", "TYPES", "Images", "Kept"]

TYPES = tuple(f"image/{name.lower()}" for name in FORMATS)
KEPT_TYPE = "image/webp"
"""Has transparency, and takes a fraction of a PNG."""
LONGEST_SIDE = 1920
"""Of the largest program."""
KEPT_BYTES = 2 << 20
"""A message to a mixer has 4 MB, of which base64 takes a quarter."""
QUALITIES = (95, 80, 50)
"""The first whose file is small enough; noise of 1920 x 1920 takes 4.7 MB at the last, and is halved then."""


@dataclass(frozen=True, slots=True)
class Kept:
    width: int
    height: int
    data: bytes


class Images:
    """Decodes one upload at a time: each takes up to 200 MB while it is read."""

    def __init__(self) -> None:
        self._one = asyncio.Lock()

    async def kept(self, data: bytes) -> Kept:
        """Raises Problem ``not-an-image`` or ``image-too-large``."""
        async with self._one:
            try:
                return await asyncio.to_thread(_kept, data)
            except AssetError as error:
                if error.code == "pixels":
                    raise problem("image-too-large", sentence(error), limit=MAX_PIXELS) from None
                raise problem("not-an-image", sentence(error)) from None


def _kept(data: bytes) -> Kept:
    image = read_image(data)
    image.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.BOX)
    while True:
        for quality in QUALITIES:
            out = io.BytesIO()
            # Written anew: what a camera noted beside the picture (where it was taken) is not kept.
            image.save(out, "WEBP", quality=quality, method=2, exif=b"", xmp=b"", icc_profile=b"")
            if out.tell() <= KEPT_BYTES:
                return Kept(image.width, image.height, out.getvalue())
        image = image.reduce(2)
