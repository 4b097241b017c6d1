"""The bytes of a live broadcast that memory holds: init segments, parts, whole segments."""

from __future__ import annotations

import re

__all__ = ["MediaWindow"]

_INIT = re.compile(r"([^/]+)/init-(\d{1,9})\.mp4")


class MediaWindow:
    """Of all tracks, by media sequence number; what is old goes whichever track it is of, as one that has
    ended finishes no further segment."""

    def __init__(self) -> None:
        self._inits: dict[tuple[int, str], bytes] = {}
        self._parts: dict[tuple[str, int, int], bytes] = {}
        self._segments: dict[tuple[str, int], bytes] = {}

    def init(self, epoch: int, track: str) -> bytes:
        """Raises KeyError."""
        return self._inits[epoch, track]

    def init_named(self, name: str) -> bytes | None:
        """``{track}/init-{epoch}.mp4`` by that name."""
        found = _INIT.fullmatch(name)
        return self._inits.get((int(found[2]), found[1])) if found else None

    def part(self, track: str, msn: int, index: int) -> bytes | None:
        return self._parts.get((track, msn, index))

    def parts(self, track: str, msn: int) -> list[bytes]:
        """Of one segment, from its first on."""
        pieces: list[bytes] = []
        while (piece := self._parts.get((track, msn, len(pieces)))) is not None:
            pieces.append(piece)
        return pieces

    def segment(self, track: str, msn: int) -> bytes | None:
        """One that has been closed."""
        return self._segments.get((track, msn))

    def add_init(self, epoch: int, track: str, data: bytes) -> None:
        self._inits[epoch, track] = data

    def add_part(self, track: str, msn: int, index: int, data: bytes) -> None:
        self._parts[track, msn, index] = data

    def close_segment(self, track: str, msn: int) -> bytes:
        """No part comes any more; returns the whole segment."""
        data = self._segments[track, msn] = b"".join(self.parts(track, msn))
        return data

    def forget_before(self, msn: int) -> None:
        """Parts and segments."""
        self._segments = {key: data for key, data in self._segments.items() if key[1] >= msn}
        self._parts = {key: data for key, data in self._parts.items() if key[1] >= msn}

    def forget_inits_before(self, epoch: int) -> None:
        self._inits = {key: data for key, data in self._inits.items() if key[0] >= epoch}
