"""`video.mp4` of a recording: planned once, then read range by range from the segment store."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from hls_bridge.fragmented_mp4 import combine_inits, decode_time, patch_segment, timescale
from hls_bridge.recording import Recording, SegmentRecord

__all__ = ["RecordingFile", "plan_file"]

Read = Callable[[str], Awaitable[bytes | None]]


@dataclass(frozen=True, slots=True)
class _Piece:
    at: int
    size: int
    key: str
    track_id: int
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
            patched = patch_segment(data, piece.track_id, piece.earlier)
            yield patched[max(0, first - piece.at) : last + 1 - piece.at]


async def plan_file(recording: Recording, read: Read) -> RecordingFile:
    """Best rung and sound. An MP4 track has one set of parameters: of epochs that differ in the best rung's
    init segment, those that share the longest-lasting one are taken. Raises LookupError if nothing is there.
    """
    video = recording.segments("best")
    inits: dict[str, bytes | None] = {}
    for key in {s.init_key for s in [*video, *recording.segments("sound")]}:
        inits[key] = await read(key)
    lengths: dict[bytes, int] = {}
    for segment in video:
        if (init := inits[segment.init_key]) is not None:
            lengths[init] = lengths.get(init, 0) + segment.duration_us
    if not lengths:
        raise LookupError("the recording has no picture")
    best = max(lengths, key=lambda init: lengths[init])
    video = [s for s in video if inits[s.init_key] == best]
    epochs = {s.epoch for s in video}
    sound = [s for s in recording.segments("sound") if s.epoch in epochs and inits[s.init_key] is not None]
    sound_init = inits[sound[0].init_key] if sound else None
    sound = [s for s in sound if inits[s.init_key] == sound_init]
    start_us = min(s.start_us for s in [*video, *sound])
    head = combine_inits(best, sound_init)
    at, pieces = len(head), []
    first_time = await _first_time(video, read)
    video_scale = timescale(best)
    offset_us = first_time * 1_000_000 // video_scale - video[0].start_us
    scales = {1: video_scale, 2: timescale(sound_init) if sound_init else 0}
    tracks = [(1, s) for s in video] + [(2, s) for s in sound]
    for track_id, segment in sorted(tracks, key=lambda item: (item[1].start_us, item[0])):
        earlier = (start_us + offset_us) * scales[track_id] // 1_000_000
        pieces.append(_Piece(at, segment.bytes, segment.key, track_id, earlier))
        at += segment.bytes
    return RecordingFile(head, tuple(pieces), at)


async def _first_time(segments: list[SegmentRecord], read: Read) -> int:
    data = await read(segments[0].key)
    if data is None:
        raise LookupError(f"segment {segments[0].key} is missing")
    return decode_time(data)
