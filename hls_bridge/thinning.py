"""Fewer pictures for rungs that can't keep up, without a hole: the one before stands for what is left out."""

from __future__ import annotations

from dataclasses import replace

from hls_bridge.rung import TICKS, Picture

__all__ = ["Thinning"]

HALF_RATE = 15
"""Pictures that wait: half a second of them at 30 a second, as viewers have to wait longer by as much."""
LEAST_RATE = 90
"""The same from which there is one picture for each part; the ladder has shed rungs before."""
SPACED_TICKS = TICKS * 28 // 100
"""Between such pictures at the source's own times: with a third of a second, jitter makes a part too long."""


class Thinning:
    """One for an epoch.

    In a constant rate a picture says how many slots it is shown for, so all samples follow each other: a
    playlist whose durations add up to less than the media has, or a hole in the media, has players drop
    pictures up to the next keyframe (Shaka Player) or give up (Chromium's own HLS). Longer pictures begin at
    multiples of their length in the segment, so they end where it ends, and parts do.
    """

    def __init__(self, fps: int) -> None:
        """``fps``: of the constant rate; rungs have it, or half of it above 30."""
        self._segment_slots = 2 * fps
        self._half = 2 if fps <= 30 else 4
        self._least = fps // 3 // self._half * self._half
        self._shown_until = 0
        self._last_pts = 0

    def thin(self, picture: Picture, behind: int) -> Picture | None:
        """The picture as it goes on while ``behind`` others wait; None: it is left out."""
        if picture.slot is None:
            return self._by_time(picture, behind)
        if picture.slot < self._shown_until:
            return None
        assert picture.next_cut_slot is not None
        place = picture.slot - (picture.next_cut_slot - self._segment_slots)
        slots = self._least if behind > LEAST_RATE else self._half if behind > HALF_RATE else 1
        if place % slots:
            slots = self._half if slots == self._least and place % self._half == 0 else 1
        slots = min(slots, picture.next_cut_slot - picture.slot)
        self._shown_until = picture.slot + slots
        return replace(picture, slots=slots)

    def _by_time(self, picture: Picture, behind: int) -> Picture | None:
        """At the source's times: there the next picture ends the one before it."""
        if behind > LEAST_RATE:
            left_out = picture.pts - self._last_pts < SPACED_TICKS
        else:
            left_out = behind > HALF_RATE and picture.source % 2 == 1
        if left_out and not picture.begins_segment:
            return None
        self._last_pts = picture.pts
        return picture
