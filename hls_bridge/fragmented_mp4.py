"""A recording as one fragmented MP4, without encoding and without holding it: boxes are patched, not made.

Each segment is a run of moof and mdat of one track with id 1 (ISO/IEC 14496-12). One file of both tracks
needs one moov, other track ids, and decode times from 0; none of that changes a box's size, so the length of
the file is known beforehand and any byte range can be served.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

__all__ = ["boxes", "combine_inits", "decode_time", "patch_segment", "timescale"]


def boxes(data: bytes, start: int = 0, end: int | None = None) -> Iterator[tuple[bytes, int, int]]:
    """(type, start, end) of each box in a stretch. Raises ValueError for a broken one."""
    at, end = start, len(data) if end is None else end
    while at + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, at)
        if size < 8 or at + size > end:
            raise ValueError(f"broken box {kind!r}")
        yield kind, at, at + size
        at += size


def combine_inits(video: bytes, sound: bytes | None) -> bytes:
    """ftyp and moov for both tracks: the video is track 1, the sound track 2."""
    if sound is None:
        return video
    ftyp = _child(video, b"ftyp")
    moov, sound_moov = _child(video, b"moov"), _child(sound, b"moov")
    header = bytearray(_child(moov[8:], b"mvhd"))
    struct.pack_into(">I", header, len(header) - 4, 3)  # next_track_ID
    sound_trak = bytearray(_child(sound_moov[8:], b"trak"))
    for kind, start, _ in boxes(bytes(sound_trak), 8):
        if kind == b"tkhd":
            struct.pack_into(">I", sound_trak, start + (28 if sound_trak[start + 8] else 20), 2)
    trex = _child(_child(moov[8:], b"mvex")[8:], b"trex")
    sound_trex = bytearray(_child(_child(sound_moov[8:], b"mvex")[8:], b"trex"))
    struct.pack_into(">I", sound_trex, 12, 2)
    mvex = _box(b"mvex", trex + bytes(sound_trex))
    return ftyp + _box(b"moov", bytes(header) + _child(moov[8:], b"trak") + bytes(sound_trak) + mvex)


def timescale(init: bytes) -> int:
    """Ticks a second of the one track of an init segment (mdhd)."""
    trak = _child(_child(init, b"moov")[8:], b"trak")
    mdhd = _child(_child(trak[8:], b"mdia")[8:], b"mdhd")
    at = 28 if mdhd[8] else 20
    return int.from_bytes(mdhd[at : at + 4], "big")


def decode_time(segment: bytes) -> int:
    """baseMediaDecodeTime of the first fragment (tfdt)."""
    traf = _child(_child(segment, b"moof")[8:], b"traf")
    tfdt = _child(traf[8:], b"tfdt")
    return int.from_bytes(tfdt[12:20] if tfdt[8] else tfdt[12:16], "big")


def patch_segment(segment: bytes, track_id: int, earlier: int) -> bytes:
    """The segment as a piece of another file: another track id, ``earlier`` ticks earlier."""
    out = bytearray(segment)
    for kind, start, end in boxes(segment):
        if kind != b"moof":
            continue
        for inner, inner_start, inner_end in boxes(segment, start + 8, end):
            if inner != b"traf":
                continue
            for box, at, _ in boxes(segment, inner_start + 8, inner_end):
                if box == b"tfhd":
                    struct.pack_into(">I", out, at + 12, track_id)
                elif box == b"tfdt":
                    form = ">Q" if segment[at + 8] else ">I"
                    (time,) = struct.unpack_from(form, segment, at + 12)
                    struct.pack_into(form, out, at + 12, max(0, time - earlier))
    return bytes(out)


def _child(data: bytes, kind: bytes) -> bytes:
    for name, start, end in boxes(data):
        if name == kind:
            return data[start:end]
    raise ValueError(f"no {kind.decode()} box")


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", len(content) + 8, kind) + content
