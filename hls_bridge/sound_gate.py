"""Sound doesn't go ahead of the pictures it belongs to."""

from __future__ import annotations

from collections import deque

from hls_bridge.part import EpochStart, Event, PartGroup
from hls_bridge.rendition import SOUND

__all__ = ["SoundGate"]

MOST_HELD = 30
"""Groups of sound, ten seconds: rungs that are this far behind have ended, or are not worth waiting for."""


class SoundGate:
    """Events of a worker in, the same out, in the order in which they are to be published.

    A machine that can't keep up makes sound in time and pictures seconds late. Players take the live edge
    from whichever playlist is ahead, look for pictures there, and find no segment of that time: Shaka Player
    throws. So a part of sound waits until pictures have come to where it begins; on a machine that keeps up
    they always have.
    """

    def __init__(self) -> None:
        self._pictures_until_us = 0
        self._held: deque[PartGroup] = deque()

    def push(self, event: Event) -> list[Event]:
        """What can be published now that ``event`` is there."""
        match event:
            case EpochStart():
                return [*self.end(), event]
            case PartGroup(parts) if parts[0].track == SOUND.name:
                self._held.append(event)
                return self._released()
            case PartGroup(parts):
                ends_us = max(part.start_us + part.duration_us for part in parts)
                self._pictures_until_us = max(self._pictures_until_us, ends_us)
                return [event, *self._released()]
            case _:
                return [event]

    def end(self) -> list[Event]:
        """Nothing more comes: what has been held."""
        out: list[Event] = [*self._held]
        self._held.clear()
        return out

    def _released(self) -> list[Event]:
        out: list[Event] = []
        while self._held and (
            self._held[0].parts[0].start_us <= self._pictures_until_us or len(self._held) > MOST_HELD
        ):
            out.append(self._held.popleft())
        return out
