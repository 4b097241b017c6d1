"""Where the program has its hosts, in the terms of a custom layout: what an editor of layouts begins with."""

from __future__ import annotations

from mixer.layout import Arrangement, Host, LayoutSpec, Tile, arrange
from sfu.participant import Participant
from sfu.stage import Stage
from signaling.models import Tile as TileView

__all__ = ["stage_tiles", "tiles_of"]

WIDTH, HEIGHT = 1920, 1080
"""Any size will do: layouts are in proportion to the picture, and programs are 16:9."""
DIGITS = 6
"""Of a fraction; the sums of rounded ones stay within what a layout may pass 1 by."""


def stage_tiles(stage: Stage, spec: LayoutSpec) -> list[TileView]:
    """Of the hosts who send, back to front. As a ``custom`` layout they show what ``spec`` does."""
    hosts = [Host(each.participant_id, each.name, _shares_screen(stage, each)) for each in stage.sending]
    return tiles_of(arrange(hosts, spec, (WIDTH, HEIGHT), stage.speaker))


def tiles_of(arrangement: Arrangement) -> list[TileView]:
    """In fractions of the picture; without rims and labels, which no layout asks for."""
    return [_view(tile, z, arrangement) for z, tile in enumerate(arrangement.tiles)]


def _shares_screen(stage: Stage, host: Participant) -> bool:
    screen = host.track_from("screen")
    return screen is not None and not screen.closed and screen.codec is not None and not stage.muted(screen)


def _view(tile: Tile, z: int, arrangement: Arrangement) -> TileView:
    x, y, w, h = tile.rect
    left, top = _fraction(x / arrangement.width), _fraction(y / arrangement.height)
    return TileView(
        participant_id=tile.subject.participant_id,
        source=tile.subject.source,
        x=left,
        y=top,
        w=_fraction(min(w / arrangement.width, 1 - left)),
        h=_fraction(min(h / arrangement.height, 1 - top)),
        z=z,
        fit=tile.fit,
        radius=_fraction(tile.radius / (min(w, h) / 2)),
    )


def _fraction(value: float) -> float:
    return min(max(round(value, DIGITS), 0.0), 1.0)
