"""What the owner may ask for: the layout object of the outside contract, checked by itself."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

from mixer.layout.geometry import Fit

__all__ = ["Host", "LayoutError", "LayoutName", "LayoutSpec", "TileSpec", "parse_layout"]

LayoutName = Literal["grid", "spotlight", "side-by-side", "picture-in-picture", "custom"]

COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
# Long enough for a title and a subtitle on one line at 1080p; longer text is cut with an ellipsis anyway.
LOWER_THIRD_CHARACTERS = 200
# Twice the largest stage: room for a camera and a screen of each of 16 hosts.
TILES = 32
BACKGROUND = "#10141c"


class LayoutError(ValueError):
    """A layout that can't be shown. The message says what to change; ``code`` is stable."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Host:
    """A participant on stage, as far as a layout needs to know."""

    participant_id: str
    name: str
    screen: bool = False
    """True while a screen is shared beside the camera."""


@dataclass(frozen=True, slots=True)
class TileSpec:
    """A tile of a custom layout; all lengths are fractions, 0 to 1, of the picture."""

    participant_id: str
    x: float
    y: float
    w: float
    h: float
    z: int = 0
    fit: Fit = "cover"
    radius: float = 0.0
    """0 is square, 1 rounds the shorter side into a half circle."""
    source: Literal["camera", "screen"] = "camera"

    def __post_init__(self) -> None:
        for name in ("x", "y", "w", "h", "radius"):
            value = getattr(self, name)
            if not (isinstance(value, int | float) and math.isfinite(value) and 0 <= value <= 1):
                raise LayoutError("tile-range", f"tile {name} is {value!r}; give a number from 0 to 1")
        # 1e-6: thirds written as decimals (0.333333 + 0.666667) may pass 1 by rounding.
        if self.x + self.w > 1 + 1e-6 or self.y + self.h > 1 + 1e-6:
            raise LayoutError(
                "tile-range", "a tile reaches beyond the picture; keep x + w and y + h at most 1"
            )
        if self.w < 0.02 or self.h < 0.02:
            raise LayoutError("tile-size", "a tile is too small to see; give w and h of at least 0.02")
        if self.fit not in get_args(Fit):
            raise LayoutError("tile-fit", f"fit is {self.fit!r}; use cover or contain")
        if self.source not in ("camera", "screen"):
            raise LayoutError("tile-source", f"source is {self.source!r}; use camera or screen")
        if not isinstance(self.z, int) or abs(self.z) > 1000:
            raise LayoutError("tile-range", f"tile z is {self.z!r}; give a whole number from -1000 to 1000")


@dataclass(frozen=True, slots=True)
class LayoutSpec:
    """The layout as asked for. Raises LayoutError when it is wrong whoever is on stage."""

    layout: LayoutName = "grid"
    pinned: str | None = None
    tiles: tuple[TileSpec, ...] = ()
    background: str = BACKGROUND
    logo: str | None = None
    lower_third: str | None = None

    def __post_init__(self) -> None:
        if self.layout not in get_args(LayoutName):
            names = ", ".join(get_args(LayoutName))
            raise LayoutError("layout-name", f"there is no layout {self.layout!r}; use one of {names}")
        if self.layout == "custom" and not self.tiles:
            raise LayoutError("layout-names-nobody", "a custom layout needs tiles; name at least one host")
        if self.layout != "custom" and self.tiles:
            raise LayoutError("layout-tiles", f"tiles go with layout custom, not {self.layout}")
        if len(self.tiles) > TILES:
            raise LayoutError("layout-tiles", f"{len(self.tiles)} tiles; give at most {TILES}")
        subjects = [(tile.participant_id, tile.source) for tile in self.tiles]
        if len(set(subjects)) != len(subjects):
            raise LayoutError("layout-tiles", "a host's picture stands in two tiles; name each at most once")
        if self.background.startswith("#") and not COLOUR.fullmatch(self.background):
            raise LayoutError(
                "layout-background", f"background {self.background!r} is no colour; write #rrggbb"
            )
        if self.lower_third is not None and len(self.lower_third) > LOWER_THIRD_CHARACTERS:
            raise LayoutError(
                "layout-lower-third",
                f"the lower third is too long; {LOWER_THIRD_CHARACTERS} characters at most",
            )

    @property
    def assets(self) -> frozenset[str]:
        """Ids of the uploaded images that it names."""
        image = None if self.background.startswith("#") else self.background
        return frozenset(each for each in (image, self.logo) if each)


def parse_layout(body: Mapping[str, Any]) -> LayoutSpec:
    """Read the JSON object of ``PUT .../layout``. Raises LayoutError, never anything else."""
    unknown = set(body) - {"layout", "pinned", "tiles", "background", "logo", "lower_third"}
    if unknown:
        raise LayoutError("layout-key", f"unknown key {sorted(unknown)[0]!r} in the layout")
    try:
        tiles = tuple(TileSpec(**tile) for tile in body.get("tiles") or ())
    except TypeError as error:
        raise LayoutError("layout-tiles", "a tile needs participant_id, x, y, w and h") from error
    lower_third = body.get("lower_third")
    if lower_third is not None and not (
        isinstance(lower_third, Mapping) and isinstance(lower_third.get("text"), str)
    ):
        raise LayoutError("layout-lower-third", "lower_third is an object with a text")
    for key in ("pinned", "background", "logo"):
        if not isinstance(body.get(key), str | None):
            raise LayoutError("layout-key", f"{key} must be a string")
    return LayoutSpec(
        layout=cast(LayoutName, body.get("layout", "grid")),
        pinned=body.get("pinned"),
        tiles=tiles,
        background=body.get("background") or BACKGROUND,
        logo=body.get("logo"),
        lower_third=lower_third["text"] if lower_third else None,
    )
