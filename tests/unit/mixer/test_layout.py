from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixer.layout import (
    TRANSITION_US,
    Animator,
    Host,
    LayoutError,
    LayoutSpec,
    Rect,
    Subject,
    arrange,
    check_layout,
    interpolate,
    parse_layout,
)

HD = (1920, 1080)


def stage(count: int, screens: tuple[int, ...] = ()) -> list[Host]:
    return [Host(f"p{n}", f"Host {n}", screen=n in screens) for n in range(count)]


def overlap(a: Rect, b: Rect) -> float:
    w = min(a.x + a.w, b.x + b.w) - max(a.x, b.x)
    h = min(a.y + a.h, b.y + b.h) - max(a.y, b.y)
    return max(w, 0) * max(h, 0)


@pytest.mark.parametrize("layout", ["grid", "spotlight", "side-by-side", "picture-in-picture"])
@given(count=st.integers(0, 16), screen=st.booleans(), size=st.sampled_from([HD, (1280, 720), (1080, 1920)]))
def test_everyone_is_inside_and_nobody_hidden(
    layout: Any, count: int, screen: bool, size: tuple[int, int]
) -> None:
    hosts = stage(count, (0,) if screen else ())
    tiles = arrange(hosts, LayoutSpec(layout), size, speaker="p1").tiles
    assert len(tiles) == count + (screen and count > 0)
    for tile in tiles:
        assert tile.rect.x >= -1e-6
        assert tile.rect.y >= -1e-6
        assert tile.rect.x + tile.rect.w <= size[0] + 1e-6
        assert tile.rect.y + tile.rect.h <= size[1] + 1e-6
        assert tile.rect.w > 8
        assert tile.rect.h > 8
    for i, a in enumerate(tiles):
        for b in tiles[i + 1 :]:
            assert a.z != b.z or overlap(a.rect, b.rect) < 1e-6 or layout == "picture-in-picture"


def test_nine_in_a_grid_are_three_by_three() -> None:
    tiles = arrange(stage(9), LayoutSpec("grid"), HD).tiles
    assert [(round(t.rect.x), round(t.rect.y)) for t in tiles[:4]] == [(5, 5), (645, 5), (1285, 5), (5, 365)]
    assert {(round(t.rect.w, 1), round(t.rect.h, 1)) for t in tiles} == {(629.2, 349.2)}


def test_one_host_fills_the_picture_without_decoration() -> None:
    for layout in ("grid", "spotlight", "side-by-side", "picture-in-picture"):
        (tile,) = arrange(stage(1), LayoutSpec(layout), HD, speaker="p0").tiles  # type: ignore[arg-type]
        assert tile.rect == Rect(0, 0, 1920, 1080)
        assert (tile.radius, tile.border, tile.label) == (0, 0, None)


def test_lead_is_pinned_then_screen_then_speaker_then_first() -> None:
    def lead(hosts: list[Host], pinned: str | None, speaker: str | None) -> Subject:
        return max(
            arrange(hosts, LayoutSpec("spotlight", pinned), HD, speaker).tiles, key=lambda t: t.rect.w
        ).subject

    assert lead(stage(3), None, None) == Subject("p0")
    assert lead(stage(3), None, "p1") == Subject("p1")
    assert lead(stage(3, (2,)), None, "p1") == Subject("p2", "screen")
    assert lead(stage(3, (2,)), "p0", "p1") == Subject("p0")
    assert lead(stage(3), "gone", "p1") == Subject("p1")


def test_speaker_has_a_border_in_the_grid() -> None:
    tiles = arrange(stage(4), LayoutSpec("grid"), HD, speaker="p2").tiles
    assert [tile.border > 0 for tile in tiles] == [False, False, True, False]


def test_custom_tiles_and_z_order() -> None:
    spec = parse_layout({
        "layout": "custom", "background": "#ff0000", "lower_third": {"text": "Evening show"},
        "tiles": [
            {"participant_id": "p1", "x": 0.5, "y": 0.5, "w": 0.25, "h": 0.25,
             "z": 3, "radius": 1, "fit": "contain"},
            {"participant_id": "p0", "x": 0, "y": 0, "w": 1, "h": 1},
            {"participant_id": "absent", "x": 0, "y": 0, "w": 1, "h": 1},
        ],
    })  # fmt: skip
    shown = arrange(stage(2), spec, HD)
    assert [tile.subject.participant_id for tile in shown.tiles] == ["p0", "p1"]
    assert shown.tiles[1].rect == Rect(960, 540, 480, 270)
    assert shown.tiles[1].radius == 135
    assert (shown.background, shown.lower_third) == ("#ff0000", "Evening show")


def test_custom_that_shows_nobody_any_more_becomes_a_grid() -> None:
    spec = parse_layout(
        {"layout": "custom", "tiles": [{"participant_id": "x", "x": 0, "y": 0, "w": 1, "h": 1}]}
    )
    assert len(arrange(stage(2), spec, HD).tiles) == 2


TILE = {"participant_id": "p0", "x": 0.0, "y": 0.0, "w": 0.5, "h": 0.5}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"layout": "mosaic"}, "layout-name"),
        ({"layout": "custom"}, "layout-names-nobody"),
        ({"layout": "custom", "tiles": []}, "layout-names-nobody"),
        ({"layout": "grid", "tiles": [TILE]}, "layout-tiles"),
        ({"layout": "custom", "tiles": [TILE, TILE]}, "layout-tiles"),
        (
            {"layout": "custom", "tiles": [TILE | {"participant_id": f"p{n}"} for n in range(33)]},
            "layout-tiles",
        ),
        ({"layout": "custom", "tiles": [{"participant_id": "p0"}]}, "layout-tiles"),
        ({"layout": "custom", "tiles": [TILE | {"x": 0.6}]}, "tile-range"),
        ({"layout": "custom", "tiles": [TILE | {"w": -0.1}]}, "tile-range"),
        ({"layout": "custom", "tiles": [TILE | {"h": float("nan")}]}, "tile-range"),
        ({"layout": "custom", "tiles": [TILE | {"y": "top"}]}, "tile-range"),
        ({"layout": "custom", "tiles": [TILE | {"z": 1.5}]}, "tile-range"),
        ({"layout": "custom", "tiles": [TILE | {"w": 0.01}]}, "tile-size"),
        ({"layout": "custom", "tiles": [TILE | {"fit": "stretch"}]}, "tile-fit"),
        ({"layout": "custom", "tiles": [TILE | {"source": "window"}]}, "tile-source"),
        ({"layout": "grid", "background": "#12"}, "layout-background"),
        ({"layout": "grid", "background": 7}, "layout-key"),
        ({"layout": "grid", "colour": "#123456"}, "layout-key"),
        ({"layout": "grid", "lower_third": {}}, "layout-lower-third"),
        ({"layout": "grid", "lower_third": {"text": "x" * 201}}, "layout-lower-third"),
    ],
)
def test_bad_layouts_are_refused(body: dict[str, Any], code: str) -> None:
    with pytest.raises(LayoutError) as caught:
        parse_layout(body)
    assert caught.value.code == code


def test_layouts_that_name_nobody_on_stage_are_refused_when_asked_for() -> None:
    spec = parse_layout({"layout": "custom", "tiles": [TILE | {"participant_id": "ghost"}]})
    with pytest.raises(LayoutError) as caught:
        check_layout(spec, stage(2))
    assert caught.value.code == "layout-names-nobody"
    with pytest.raises(LayoutError) as caught:
        check_layout(LayoutSpec("spotlight", pinned="ghost"), stage(2))
    assert caught.value.code == "layout-pinned"


def test_transition_moves_fades_and_ends() -> None:
    two, three = (
        arrange(stage(n), LayoutSpec("grid", lower_third="Hi" if n == 3 else None), HD) for n in (2, 3)
    )
    middle = interpolate(two, three, 0.5)
    p0 = next(tile for tile in middle.tiles if tile.subject == Subject("p0"))
    assert p0.rect == two.tiles[0].rect.mix(three.tiles[0].rect, 0.5)
    entering = next(tile for tile in middle.tiles if tile.subject == Subject("p2"))
    assert entering.opacity == 0.5
    assert middle.lower_third_opacity == 0.5
    back = interpolate(three, two, 0.5)
    leaving = next(tile for tile in back.tiles if tile.subject == Subject("p2"))
    assert leaving.opacity == 0.5
    assert interpolate(two, three, 1.0) == three


def test_animator_never_jumps_when_interrupted() -> None:
    two, three, four = (arrange(stage(n), LayoutSpec("grid"), HD) for n in (2, 3, 4))
    animator = Animator(two)
    animator.set(three, 1_000_000)
    half = animator.at(1_000_000 + TRANSITION_US // 2)
    animator.set(four, 1_000_000 + TRANSITION_US // 2)
    again = animator.at(1_000_000 + TRANSITION_US // 2)
    for tile in half.tiles:
        same = next(other for other in again.tiles if other.subject == tile.subject)
        assert same.rect == tile.rect
    assert animator.at(1_000_000 + 2 * TRANSITION_US) == four
