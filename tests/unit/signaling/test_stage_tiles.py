"""A layout's tiles, as an editor of custom layouts gets them."""

from __future__ import annotations

from typing import get_args

import pytest

from mixer.layout import Arrangement, Host, LayoutSpec, arrange, parse_layout
from mixer.layout.spec import LayoutName
from signaling.models import Layout
from signaling.stage_tiles import tiles_of

SIZE = (1920, 1080)
PRESETS = [name for name in get_args(LayoutName) if name != "custom"]


def hosts(count: int) -> list[Host]:
    """The second one shares a screen."""
    return [Host(f"p{number}", f"Host {number}", screen=number == 1) for number in range(count)]


def as_custom(arrangement: Arrangement) -> LayoutSpec:
    """What the server makes of those tiles when they are asked for."""
    tiles = [tile.model_dump() for tile in tiles_of(arrangement)]
    body = Layout.model_validate_json(Layout(layout="custom", tiles=tiles).model_dump_json())
    return parse_layout(body.model_dump(exclude_none=True))


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("count", [1, 2, 3, 5, 9, 16])
def test_a_custom_layout_of_the_tiles_shows_the_same(name: LayoutName, count: int) -> None:
    shown = arrange(hosts(count), LayoutSpec(layout=name), SIZE, "p0")
    again = arrange(hosts(count), as_custom(shown), SIZE, "p0")
    assert [tile.subject for tile in again.tiles] == [tile.subject for tile in shown.tiles]
    for tile, same in zip(shown.tiles, again.tiles, strict=True):
        assert same.rect == pytest.approx(tile.rect, abs=0.01)
        assert same.radius == pytest.approx(tile.radius, abs=0.01)
        assert same.fit == tile.fit


def test_a_custom_layouts_own_tiles() -> None:
    spec = parse_layout(
        {
            "layout": "custom",
            "tiles": [
                {"participant_id": "p0", "x": 0.25, "y": 0, "w": 0.5, "h": 1, "z": 7, "radius": 0.3},
                {"participant_id": "p1", "x": 0, "y": 0.5, "w": 0.25, "h": 0.5, "z": -2, "fit": "contain"},
                {"participant_id": "gone", "x": 0, "y": 0, "w": 1, "h": 1},
            ],
        }
    )
    back, front = tiles_of(arrange(hosts(2), spec, SIZE))
    assert (back.participant_id, back.z, back.fit, back.radius) == ("p1", 0, "contain", 0)
    assert (front.participant_id, front.z, front.fit, front.radius) == ("p0", 1, "cover", 0.3)
    assert (front.x, front.y, front.w, front.h) == (0.25, 0, 0.5, 1)


def test_nobody() -> None:
    assert tiles_of(arrange([], LayoutSpec(), SIZE)) == []
