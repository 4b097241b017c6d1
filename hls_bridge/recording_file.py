"""`video.mp4` of a recording: planned once, then read range by range from the segment store."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from hls_bridge.fragmented_mp4 import combine_inits, patch_segment, timescale
from hls_bridge.recording import Recording, SegmentRecord

__all__ = ["RecordingFile", "plan_file"]

Read = Callable[[str], Awaitable[bytes | None]]


@dataclass(frozen=True, slots=True)
class _Piece:
    at: int
    size: int
    key: str
    track_id: int
    description: int
    earlier: int


@dataclass(frozen=True, slots=True)
class RecordingFile:
    """Where each byte comes from."""

    head: bytes
    pieces: tuple[_Piece, ...]
    size: int

    async def stream(self, first: int, last: int, read: Read) -> AsyncIterator[bytes]:
        """Bytes ``first`` to ``last`` (inclusive). Raises LookupError when a segment is missing."""
        if first < len(self.head):
            yield self.head[first : last + 1]
        for piece in self.pieces:
            if piece.at > last or piece.at + piece.size <= first:
                continue
            data = await read(piece.key)
            if data is None or len(data) != piece.size:
                raise LookupError(f"segment {piece.key} is missing")
            patched = patch_segment(data, piece.track_id, piece.description, piece.earlier)
            yield patched[max(0, first - piece.at) : last + 1 - piece.at]


async def plan_file(recording: Recording, read: Read) -> RecordingFile:
    """Best rung and sound, every epoch of both. Raises LookupError if there is no picture."""
    inits: dict[str, bytes] = {}
    for key in {s.init_key for role in ("best", "sound") for s in recording.segments(role)}:
        if (init := await read(key)) is not None:
            inits[key] = init
    video = [s for s in recording.segments("best") if s.init_key in inits]
    sound = [s for s in recording.segments("sound") if s.init_key in inits]
    if not video:
        raise LookupError("the recording has no picture")
    start_us = min(s.start_us for s in [*video, *sound])
    described = {1: _descriptions(video, inits), 2: _descriptions(sound, inits)}
    head = combine_inits(described[1], described[2])
    pieces, at = [], len(head)
    tracks = [(1, s) for s in video] + [(2, s) for s in sound]
    for track_id, segment in sorted(tracks, key=lambda item: (item[1].start_us, item[0])):
        init = inits[segment.init_key]
        description = described[track_id].index(init) + 1
        # Decode times count from where the program's do (`packager.TrackPackager`).
        earlier = start_us * timescale(init) // 1_000_000
        pieces.append(_Piece(at, segment.bytes, segment.key, track_id, description, earlier))
        at += segment.bytes
    return RecordingFile(head, tuple(pieces), at)


def _descriptions(segments: list[SegmentRecord], inits: dict[str, bytes]) -> list[bytes]:
    """The init segments that differ, the longest-lasting first."""
    lengths: dict[bytes, int] = {}
    for segment in segments:
        init = inits[segment.init_key]
        lengths[init] = lengths.get(init, 0) + segment.duration_us
    return sorted(lengths, key=lambda init: -lengths[init])
