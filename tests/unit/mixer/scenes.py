"""Seeded pictures and scenes that exercise every operation, for comparing compositors."""

from __future__ import annotations

from functools import cache

import numpy as np

from mixer.composite import Bitmap, Box, Fill, Op, Paint, Picture, Scene, Stamp
from mixer.composite.colour import Yuv

__all__ = ["natural", "noise", "nv12", "scenes"]


def natural(width: int, height: int, seed: int = 0) -> Picture:
    """Smooth shapes with some texture: what cameras give."""
    rng = np.random.default_rng(seed)

    def plane(w: int, h: int) -> np.ndarray:
        y, x = np.mgrid[0:h, 0:w] / max(w, h)
        waves = sum(np.sin(2 * np.pi * (fx * x + fy * y + p)) for fx, fy, p in rng.uniform(0, 12, (6, 3)))
        return np.clip(128 + 18 * waves + rng.normal(0, 3, (h, w)), 16, 235).astype(np.uint8)

    return Picture(plane(width, height), plane(width // 2, height // 2), plane(width // 2, height // 2))


def noise(width: int, height: int, seed: int = 0) -> Picture:
    rng = np.random.default_rng(seed)
    shapes = ((height, width), (height // 2, width // 2), (height // 2, width // 2))
    return Picture(*(rng.integers(0, 256, shape, dtype=np.uint8) for shape in shapes))


def nv12(picture: Picture) -> Picture:
    """The same samples with interleaved chroma, as hardware decoders give them."""
    chroma = np.empty((picture.height // 2, picture.width), np.uint8)
    chroma[:, 0::2], chroma[:, 1::2] = picture.u, picture.v
    return Picture(picture.y, chroma[:, 0::2], chroma[:, 1::2], chroma)


def bitmap(width: int, height: int, seed: int = 0) -> Bitmap:
    rng = np.random.default_rng(seed)
    alpha = rng.integers(0, 256, (height, width), dtype=np.uint8)
    chroma = alpha.reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3)).astype(np.uint8)
    return Bitmap(natural(width, height, seed), alpha, chroma)


def whole(picture: Picture) -> Box:
    return Box(0, 0, picture.width, picture.height)


@cache
def scenes() -> dict[str, Scene]:
    """Named scenes of at most 640 x 360."""
    hd, sd, odd = natural(1280, 720, 1), natural(320, 180, 2), natural(426, 240, 3)
    blue = Yuv(41, 240, 110)
    out: dict[str, tuple[Op, ...]] = {
        "empty": (),
        "exact": (Paint(Box(0, 0, 320, 180), sd, whole(sd)),),
        "by-two": (Paint(Box(0, 0, 640, 360), hd, whole(hd)),),
        "shrink": (
            Paint(Box(20, 10, 212, 118), hd, Box(10, 6, 1200, 700)),
            Paint(Box(300, 40, 190, 300), odd, whole(odd)),
        ),
        "enlarge": (Paint(Box(0, 0, 640, 360), odd, Box(2, 4, 400, 220)),),
        "mixed-axes": (Paint(Box(0, 0, 640, 120), sd, Box(0, 0, 300, 180)),),
        "round": (
            Paint(Box(30, 20, 300, 200), hd, whole(hd), radius=24.5),
            Fill(Box(340, 20, 64, 64), blue, radius=32),
        ),
        "tiny-radius": (
            Fill(Box(10, 10, 40, 20), blue, radius=1),
            Fill(Box(60, 10, 40, 20), blue, radius=100),
        ),
        "fade": (
            Fill(Box(0, 0, 640, 360), blue, opacity=0.5),
            Paint(Box(100, 50, 400, 226), hd, whole(hd), radius=18, opacity=0.37),
            Fill(Box(300, 30, 120, 60), Yuv(235, 128, 128), radius=10, opacity=0.8),
        ),
        "stamp": (
            Paint(Box(0, 0, 640, 360), hd, whole(hd)),
            Stamp(40, 60, bitmap(90, 30)),
            Stamp(200, 60, bitmap(64, 64, 5), 0.6),
        ),
        "nv12": (
            Paint(Box(64, 32, 300, 170), nv12(hd), whole(hd), radius=9),
            Paint(Box(400, 32, 212, 120), nv12(odd), whole(odd)),
        ),
        "noise": (Paint(Box(0, 0, 420, 236), noise(1280, 720), Box(0, 0, 1280, 720)),),
        "many": tuple(
            Paint(
                Box(4 + 212 * (n % 3), 4 + 120 * (n // 3), 204, 112),
                natural(640, 360, n),
                Box(0, 0, 640, 360),
                radius=8,
            )
            for n in range(9)
        ),
    }
    return {name: Scene(640, 360, Yuv(24, 130, 126), ops) for name, ops in out.items()}
