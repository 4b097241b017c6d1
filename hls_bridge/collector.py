"""Brings the parts of all rungs together, so that they are published in one turn."""

from __future__ import annotations

import threading
from collections.abc import Callable

from hls_bridge.part import Event, Part, PartGroup

__all__ = ["PartCollector"]


class PartCollector:
    """Rung threads hand in parts; a group leaves when every rung that runs has handed in its own, or a later
    one: rungs that leave out pictures may cut a segment into more parts or fewer."""

    def __init__(self, emit: Callable[[Event], None]) -> None:
        self._emit = emit
        self._lock = threading.Lock()
        self._next: dict[str, tuple[int, int]] = {}
        """Of each track the earliest part that may still come: (segment, index)."""
        self._waiting: dict[tuple[int, int], dict[str, Part]] = {}

    def join(self, track: str, segment: int) -> None:
        """From ``segment`` on groups wait for ``track``."""
        with self._lock:
            self._next[track] = (segment, 0)

    def leave(self, track: str) -> None:
        """``track`` has ended; groups no longer wait for it."""
        with self._lock:
            self._next.pop(track, None)
            self._release()

    def add(self, part: Part) -> None:
        with self._lock:
            self._waiting.setdefault((part.segment, part.index), {})[part.track] = part
            following = (part.segment + 1, 0) if part.last else (part.segment, part.index + 1)
            if part.track in self._next:
                self._next[part.track] = following
            self._release()

    def end(self) -> None:
        """The epoch ends: publish what is there, in order, and forget all tracks."""
        with self._lock:
            for key in sorted(self._waiting):
                self._emit(PartGroup(tuple(self._waiting[key].values())))
            self._waiting.clear()
            self._next.clear()

    def _release(self) -> None:
        for key in sorted(self._waiting):
            if any(following <= key for following in self._next.values()):
                return
            self._emit(PartGroup(tuple(self._waiting.pop(key).values())))
