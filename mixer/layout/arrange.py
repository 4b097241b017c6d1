"""The five layouts of the contract: hosts, speaker and picture size in, tiles out."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from mixer.layout.geometry import Arrangement, Rect, Subject, Tile
from mixer.layout.spec import Host, LayoutError, LayoutSpec

__all__ = ["arrange", "check_layout"]

# Of the picture's height: 11 px at 1080p, visible on a phone and still unobtrusive.
GAP = 0.01
RADIUS = 0.012
BORDER = 0.004
SPEAKING, RIM = "#3b82f6", "#e5e7eb"
# Picture-in-picture insets: a quarter of the width is the broadcasters' habit.
INSET_WIDTH = 0.24


def check_layout(spec: LayoutSpec, hosts: Sequence[Host]) -> None:
    """Refuse a layout that makes no sense for those now on stage. Raises LayoutError.

    For the moment when the owner asks; ``arrange`` itself copes with hosts that leave later.
    """
    present = {host.participant_id for host in hosts}
    if spec.pinned is not None and spec.pinned not in present:
        raise LayoutError("layout-pinned", f"pinned host {spec.pinned!r} is not on stage; pin one who is")
    if spec.layout == "custom" and not any(tile.participant_id in present for tile in spec.tiles):
        raise LayoutError("layout-names-nobody", "no tile names a host on stage; name at least one who is")


def arrange(
    hosts: Sequence[Host], spec: LayoutSpec, size: tuple[int, int], speaker: str | None = None
) -> Arrangement:
    """Lay ``hosts`` out on a picture of ``size`` (width, height) pixels.

    ``speaker`` is the participant who talks. A pinned host who has left counts as not pinned, a tile
    whose host has left stays empty, and a custom layout that shows nobody any more becomes a grid:
    the show goes on.
    """
    width, height = size
    names = {host.participant_id: host.name for host in hosts}
    lead = _lead(hosts, spec.pinned, speaker)
    tiles: list[Tile] = []
    if spec.layout == "custom":
        tiles = _custom(spec, hosts, names, width, height)
    if not tiles:
        shape = _SHAPES.get(spec.layout, _grid)
        order = _order(hosts, lead if shape is not _grid else None)
        tiles = [_styled(tile, names, speaker, height, len(order)) for tile in shape(order, width, height)]
    return Arrangement(width, height, tuple(sorted(tiles, key=lambda tile: tile.z)), spec.background,
                       spec.logo, spec.lower_third)  # fmt: skip


def _lead(hosts: Sequence[Host], pinned: str | None, speaker: str | None) -> Subject | None:
    """Who stands in front: the pinned host, a shared screen, the speaker, the first, in that order."""
    by_id = {host.participant_id: host for host in hosts}
    for wanted in (pinned, next((host.participant_id for host in hosts if host.screen), None), speaker):
        if wanted in by_id:
            host = by_id[wanted]
            return Subject(host.participant_id, "screen" if host.screen else "camera")
    return Subject(hosts[0].participant_id) if hosts else None


def _order(hosts: Sequence[Host], lead: Subject | None) -> list[Subject]:
    subjects = [Subject(host.participant_id, "screen") for host in hosts if host.screen]
    subjects += [Subject(host.participant_id) for host in hosts]
    if lead is not None:
        subjects.remove(lead)
        subjects.insert(0, lead)
    return subjects


def _styled(tile: Tile, names: dict[str, str], speaker: str | None, height: int, count: int) -> Tile:
    alone = count == 1
    name = names[tile.subject.participant_id]
    speaking = not alone and tile.z == 0 and tile.subject == Subject(speaker or "")
    return Tile(
        tile.subject,
        tile.rect,
        tile.z,
        "contain" if tile.subject.source == "screen" else "cover",
        tile.radius if alone or tile.radius else height * RADIUS if tile.rect.h < height else 0.0,
        max(2.0, round(height * BORDER)) if speaking or tile.border else 0.0,
        border_colour=SPEAKING if speaking else RIM,
        label=None if alone else name,
    )


def _grid(subjects: Sequence[Subject], width: int, height: int) -> list[Tile]:
    """As many columns as give the largest 16:9 pictures, wide rather than tall; the last row is centred."""
    count = len(subjects)
    if count == 0:
        return []
    if count == 1:
        return [Tile(subjects[0], Rect(0, 0, width, height))]

    def usable(columns: int) -> float:
        cell_w, cell_h = width / columns, height / math.ceil(count / columns)
        return min(cell_w, cell_h * 16 / 9)

    columns = max(range(1, count + 1), key=lambda candidate: (round(usable(candidate)), candidate))
    rows = math.ceil(count / columns)
    gap = height * GAP
    cell_w, cell_h = width / columns, height / rows
    # Cells as wide as 16:9 asks, so that two hosts side by side are not cropped to portraits.
    tile_w = min(cell_w, cell_h * 16 / 9)
    tile_h = min(cell_h, tile_w * 9 / 16) if rows == 1 else cell_h
    top = (height - rows * tile_h) / 2
    tiles = []
    for row in range(rows):
        members = subjects[row * columns : (row + 1) * columns]
        left = (width - len(members) * tile_w) / 2
        for column, subject in enumerate(members):
            cell = Rect(left + column * tile_w, top + row * tile_h, tile_w, tile_h)
            tiles.append(Tile(subject, cell.inset(gap / 2)))
    return tiles


def _spotlight(subjects: Sequence[Subject], width: int, height: int) -> list[Tile]:
    """The lead large, the others in a column on the right."""
    lead, others = subjects[:1], subjects[1:]
    if not others:
        return _grid(lead, width, height)
    gap = height * GAP
    # The column is 1/5 of the width; above 5 hosts it has two files of half the size.
    files = 1 if len(others) <= 5 else 2
    rows = math.ceil(len(others) / files)
    column = width / 5
    tile_w = column / files
    tile_h = min(tile_w * 9 / 16, height / rows)
    top = (height - rows * tile_h) / 2
    tiles = [Tile(lead[0], Rect(0, 0, width - column, height).inset(gap / 2))]
    for index, subject in enumerate(others):
        x = width - column + (index % files) * tile_w
        tiles.append(Tile(subject, Rect(x, top + index // files * tile_h, tile_w, tile_h).inset(gap / 2)))
    return tiles


def _side_by_side(subjects: Sequence[Subject], width: int, height: int) -> list[Tile]:
    """Columns over the full height, cropped to fit; above four hosts in two rows."""
    count = len(subjects)
    if count <= 1:
        return _grid(subjects, width, height)
    gap = height * GAP
    rows = 1 if count <= 4 else 2
    tiles = []
    for row in range(rows):
        members = (
            subjects[row::rows]
            if rows == 1
            else subjects[row * math.ceil(count / 2) :][: math.ceil(count / 2)]
        )
        tile_w, tile_h = width / len(members), height / rows
        tiles += [
            Tile(subject, Rect(column * tile_w, row * tile_h, tile_w, tile_h).inset(gap / 2))
            for column, subject in enumerate(members)
        ]
    return tiles


def _picture_in_picture(subjects: Sequence[Subject], width: int, height: int) -> list[Tile]:
    """The lead fills the picture, the others are insets from the bottom right, row upon row."""
    if len(subjects) <= 1:
        return _grid(subjects, width, height)
    margin = height * 0.03
    inset_w = width * INSET_WIDTH if len(subjects) <= 4 else width * INSET_WIDTH / 2
    inset_h = inset_w * 9 / 16
    per_row = max(1, int((width - margin) // (inset_w + margin)))
    tiles = [Tile(subjects[0], Rect(0, 0, width, height))]
    for index, subject in enumerate(subjects[1:]):
        x = width - (index % per_row + 1) * (inset_w + margin)
        y = height - (index // per_row + 1) * (inset_h + margin)
        tiles.append(
            Tile(subject, Rect(x, max(y, 0.0), inset_w, inset_h), z=1, radius=height * RADIUS * 2, border=1)
        )
    return tiles


def _custom(
    spec: LayoutSpec, hosts: Sequence[Host], names: dict[str, str], width: int, height: int
) -> list[Tile]:
    screens = {host.participant_id for host in hosts if host.screen}
    tiles = []
    for tile in spec.tiles:
        if tile.participant_id not in names or (
            tile.source == "screen" and tile.participant_id not in screens
        ):
            continue
        rect = Rect(tile.x * width, tile.y * height, tile.w * width, tile.h * height)
        radius = tile.radius * min(rect.w, rect.h) / 2
        subject = Subject(tile.participant_id, tile.source)
        tiles.append(Tile(subject, rect, tile.z, tile.fit, radius, label=names[tile.participant_id]))
    return tiles


_SHAPES: dict[str, Callable[[Sequence[Subject], int, int], list[Tile]]] = {
    "grid": _grid,
    "spotlight": _spotlight,
    "side-by-side": _side_by_side,
    "picture-in-picture": _picture_in_picture,
}
