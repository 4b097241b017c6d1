"""What a crash left behind of a recording."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hls_bridge.recording import Recording
from hls_bridge.segment_index import Record

__all__ = ["end_after_crash"]


def end_after_crash(recording: Recording, spool: Path, wall_us: int) -> Iterator[Record]:
    """Records, to be applied one by one, that close segments with the parts that they have in ``spool``,
    and end the recording where its last segment ends (``wall_us`` where there is none)."""
    for (track, msn), parts in sorted(recording.open_parts.items(), key=lambda item: item[0][1]):
        path = spool / track / f"{msn}.m4s"
        epoch, segment_wall_us, start_us = recording.open_starts[track, msn]
        if not path.is_file():
            continue
        yield {
            "type": "segment",
            "track": track,
            "msn": msn,
            "epoch": epoch,
            "wall_us": segment_wall_us,
            "start_us": start_us,
            "duration_us": sum(part.duration_us for part in parts),
            "bytes": path.stat().st_size,
        }
    ends = (s.wall_us + s.duration_us for role in recording.roles for s in recording.segments(role)[-1:])
    yield {"type": "end", "wall_us": max(ends, default=wall_us)}
