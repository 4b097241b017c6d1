"""Animated change from one arrangement to the next: interpolation by time, nothing else."""

from __future__ import annotations

from dataclasses import replace

from mixer.layout.geometry import Arrangement, Subject, Tile

__all__ = ["TRANSITION_US", "Animator", "interpolate"]

TRANSITION_US = 300_000


def interpolate(start: Arrangement, end: Arrangement, t: float) -> Arrangement:
    """The arrangement ``t`` (0 to 1) of the way; tiles are matched by their subject.

    Tiles that enter grow from 90 % of their size while they fade in, tiles that leave do the reverse.
    Everything that can't be blended (background, z-order, labels) is the end's from the first moment.
    """
    if t >= 1.0:
        return end
    eased = t * t * (3 - 2 * t)
    old: dict[Subject, Tile] = {tile.subject: tile for tile in start.tiles}
    new: dict[Subject, Tile] = {tile.subject: tile for tile in end.tiles}
    tiles = [_leaving(tile, eased) for tile in start.tiles if tile.subject not in new]
    for tile in end.tiles:
        before = old.get(tile.subject)
        tiles.append(_entering(tile, eased) if before is None else _moving(before, tile, eased))
    caption, opacity = end.lower_third, end.lower_third_opacity
    if start.lower_third and not end.lower_third:
        caption, opacity = start.lower_third, start.lower_third_opacity * (1 - eased)
    elif end.lower_third and not start.lower_third:
        opacity = eased
    tiles.sort(key=lambda tile: tile.z)
    return replace(end, tiles=tuple(tiles), lower_third=caption, lower_third_opacity=opacity)


def _moving(before: Tile, after: Tile, t: float) -> Tile:
    def mix(a: float, b: float) -> float:
        return a + (b - a) * t

    return replace(
        after,
        rect=before.rect.mix(after.rect, t),
        radius=mix(before.radius, after.radius),
        border=mix(before.border, after.border),
        opacity=mix(before.opacity, after.opacity),
    )


def _entering(tile: Tile, t: float) -> Tile:
    small = tile.rect.inset(0.05 * min(tile.rect.w, tile.rect.h))
    return replace(tile, rect=small.mix(tile.rect, t), opacity=tile.opacity * t)


def _leaving(tile: Tile, t: float) -> Tile:
    small = tile.rect.inset(0.05 * min(tile.rect.w, tile.rect.h))
    return replace(tile, rect=tile.rect.mix(small, t), opacity=tile.opacity * (1 - t))


class Animator:
    """Holds the arrangement that is wanted and gives the one to draw at a time.

    A change in the middle of a transition starts from what is on screen, so nothing ever jumps.
    """

    def __init__(self, arrangement: Arrangement) -> None:
        self._start = arrangement
        self._end = arrangement
        self._started_us: int | None = None

    @property
    def target(self) -> Arrangement:
        return self._end

    def set(self, arrangement: Arrangement, now_us: int) -> None:
        """Begin to move to ``arrangement``; the same one again changes nothing."""
        if arrangement == self._end:
            return
        self._start = self.at(now_us)
        self._end = arrangement
        self._started_us = now_us

    def at(self, now_us: int) -> Arrangement:
        """The arrangement to draw at ``now_us``."""
        if self._started_us is None:
            return self._end
        t = (now_us - self._started_us) / TRANSITION_US
        if t >= 1.0:
            self._started_us = None
            return self._end
        return interpolate(self._start, self._end, max(t, 0.0))
