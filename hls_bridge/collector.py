"""Brings the parts of all rungs together, so that they are published in one turn."""

from __future__ import annotations

import threading
from collections.abc import Callable

from hls_bridge.part import Event, Part, PartGroup

__all__ = ["PartCollector"]


class PartCollector:
    """Rung threads hand in parts; a group leaves when every rung that runs has handed in its own."""

    def __init__(self, emit: Callable[[Event], None]) -> None:
        self._emit = emit
        self._lock = threading.Lock()
        self._first: dict[str, tuple[int, int]] = {}
        self._waiting: dict[tuple[int, int], dict[str, Part]] = {}

    def join(self, track: str, segment: int) -> None:
        """From ``segment`` on groups wait for ``track``."""
        with self._lock:
            self._first[track] = (segment, 0)

    def leave(self, track: str) -> None:
        """``track`` has ended; groups no longer wait for it."""
        with self._lock:
            self._first.pop(track, None)
            self._release()

    def add(self, part: Part) -> None:
        with self._lock:
            self._waiting.setdefault((part.segment, part.index), {})[part.track] = part
            self._release()

    def end(self) -> None:
        """The epoch ends: publish what is there, in order, and forget all tracks."""
        with self._lock:
            for key in sorted(self._waiting):
                self._emit(PartGroup(tuple(self._waiting[key].values())))
            self._waiting.clear()
            self._first.clear()

    def _release(self) -> None:
        for key in sorted(self._waiting):
            group = self._waiting[key]
            if any(first <= key and track not in group for track, first in self._first.items()):
                return
            del self._waiting[key]
            self._emit(PartGroup(tuple(group.values())))
