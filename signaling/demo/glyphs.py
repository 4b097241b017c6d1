"""A bitmap font of 5 x 7 pixels: what the demo writes, and nothing else."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["HEIGHT", "WIDTH", "glyph", "text"]

WIDTH = 5
HEIGHT = 7

# One row per string, top first.
SHAPES = {
    "0": ".###. #...# #..## #.#.# ##..# #...# .###.",
    "1": "..#.. .##.. ..#.. ..#.. ..#.. ..#.. .###.",
    "2": ".###. #...# ....# ...#. ..#.. .#... #####",
    "3": "##### ...#. ..#.. ...#. ....# #...# .###.",
    "4": "...#. ..##. .#.#. #..#. ##### ...#. ...#.",
    "5": "##### #.... ####. ....# ....# #...# .###.",
    "6": "..##. .#... #.... ####. #...# #...# .###.",
    "7": "##### ....# ...#. ..#.. .#... .#... .#...",
    "8": ".###. #...# #...# .###. #...# #...# .###.",
    "9": ".###. #...# #...# .#### ....# ...#. .##..",
    ":": "..... ..#.. ..#.. ..... ..#.. ..#.. .....",
    ".": "..... ..... ..... ..... ..... .##.. .##..",
    " ": "..... ..... ..... ..... ..... ..... .....",
    "A": ".###. #...# #...# ##### #...# #...# #...#",
    "C": ".###. #...# #.... #.... #.... #...# .###.",
    "I": ".###. ..#.. ..#.. ..#.. ..#.. ..#.. .###.",
    "L": "#.... #.... #.... #.... #.... #.... #####",
    "P": "####. #...# #...# ####. #.... #.... #....",
    "S": ".#### #.... #.... .###. ....# ....# ####.",
    "T": "##### ..#.. ..#.. ..#.. ..#.. ..#.. ..#..",
    "U": "#...# #...# #...# #...# #...# #...# .###.",
    "W": "#...# #...# #...# #.#.# #.#.# ##.## #...#",
    "Y": "#...# #...# .#.#. ..#.. ..#.. ..#.. ..#..",
}


def glyph(character: str, scale: int) -> NDArray[np.bool_]:
    """The character as (7 * scale, 5 * scale), true where ink is. Raises KeyError if the font lacks it."""
    rows = [[dot == "#" for dot in row] for row in SHAPES[character].split()]
    return np.array(rows, np.bool_).repeat(scale, 0).repeat(scale, 1)


def text(line: str, scale: int) -> NDArray[np.bool_]:
    """A line of text, characters one dot apart: (7 * scale, (6 * len(line) - 1) * scale)."""
    gap = np.zeros((HEIGHT * scale, scale), np.bool_)
    pieces = [piece for character in line for piece in (glyph(character, scale), gap)]
    return np.concatenate(pieces[:-1], axis=1)
