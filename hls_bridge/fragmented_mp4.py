"""A recording as one fragmented MP4, without encoding and without holding it: boxes are patched, not made.

Each segment is a run of moof and mdat of one track with id 1 (ISO/IEC 14496-12). One file of both tracks
needs one moov, other track ids, decode times from 0, and the number of each fragment's sample description;
none of that changes a box's size, so the length of the file is known beforehand and any byte range can be
served.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

__all__ = ["box", "boxes", "child", "combine_inits", "patch_segment", "timescale"]

_STSD = (b"mdia", b"minf", b"stbl", b"stsd")
"""From a trak to its sample descriptions."""


def boxes(data: bytes, start: int = 0, end: int | None = None) -> Iterator[tuple[bytes, int, int]]:
    """(type, start, end) of each box in a stretch. Raises ValueError for a broken one."""
    at, end = start, len(data) if end is None else end
    while at + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, at)
        if size < 8 or at + size > end:
            raise ValueError(f"broken box {kind!r}")
        yield kind, at, at + size
        at += size


def child(data: bytes, kind: bytes) -> bytes:
    """The first box of a type. Raises ValueError where there is none."""
    for name, start, end in boxes(data):
        if name == kind:
            return data[start:end]
    raise ValueError(f"no {kind.decode()} box")


def box(kind: bytes, content: bytes) -> bytes:
    """A box of a type."""
    return struct.pack(">I4s", len(content) + 8, kind) + content


def combine_inits(video: Sequence[bytes], sound: Sequence[bytes]) -> bytes:
    """ftyp and moov for both tracks: the video is track 1, the sound track 2. What each init segment
    describes becomes a sample description of its track (section 8.5.2), counted from 1; the first one also
    gives the track's size. ``video`` has at least one.
    """
    ftyp, moov = child(video[0], b"ftyp"), child(video[0], b"moov")
    tracks, defaults = [_trak(video, 1)], [_trex(video[0], 1)]
    header = bytearray(child(moov[8:], b"mvhd"))
    if sound:
        tracks.append(_trak(sound, 2))
        defaults.append(_trex(sound[0], 2))
        struct.pack_into(">I", header, len(header) - 4, 3)  # next_track_ID
    return ftyp + box(b"moov", bytes(header) + b"".join(tracks) + box(b"mvex", b"".join(defaults)))


def timescale(init: bytes) -> int:
    """Ticks a second of the one track of an init segment (mdhd)."""
    trak = child(child(init, b"moov")[8:], b"trak")
    mdhd = child(child(trak[8:], b"mdia")[8:], b"mdhd")
    at = 28 if mdhd[8] else 20
    return int.from_bytes(mdhd[at : at + 4], "big")


def patch_segment(segment: bytes, track_id: int, description: int, earlier: int) -> bytes:
    """The segment as a piece of another file: another track id, ``description`` as its
    sample_description_index (tfhd, section 8.8.7), ``earlier`` ticks earlier. Raises ValueError for a
    fragment without that index.
    """
    out = bytearray(segment)
    for kind, start, end in boxes(segment):
        if kind != b"moof":
            continue
        for inner, inner_start, inner_end in boxes(segment, start + 8, end):
            if inner != b"traf":
                continue
            for leaf, at, _ in boxes(segment, inner_start + 8, inner_end):
                if leaf == b"tfhd":
                    if int.from_bytes(segment[at + 9 : at + 12], "big") & 0x3 != 0x2:
                        raise ValueError("fragment without a sample_description_index of its own")
                    struct.pack_into(">II", out, at + 12, track_id, description)
                elif leaf == b"tfdt":
                    form = ">Q" if segment[at + 8] else ">I"
                    (time,) = struct.unpack_from(form, segment, at + 12)
                    struct.pack_into(form, out, at + 12, max(0, time - earlier))
    return bytes(out)


def _trak(inits: Sequence[bytes], track_id: int) -> bytes:
    trak = bytearray(child(child(inits[0], b"moov")[8:], b"trak"))
    for kind, start, _ in boxes(bytes(trak), 8):
        if kind == b"tkhd":
            struct.pack_into(">I", trak, start + (28 if trak[start + 8] else 20), track_id)
    entries = [entry for init in inits for entry in _sample_entries(init)]
    stsd = box(b"stsd", struct.pack(">II", 0, len(entries)) + b"".join(entries))
    return _replaced(bytes(trak), _STSD, stsd)


def _sample_entries(init: bytes) -> list[bytes]:
    inner = child(child(init, b"moov")[8:], b"trak")
    for kind in _STSD:
        inner = child(inner[8:], kind)
    return [inner[start:end] for _, start, end in boxes(inner, 16)]


def _trex(init: bytes, track_id: int) -> bytes:
    trex = bytearray(child(child(child(init, b"moov")[8:], b"mvex")[8:], b"trex"))
    struct.pack_into(">I", trex, 12, track_id)
    return bytes(trex)


def _replaced(whole: bytes, path: tuple[bytes, ...], new: bytes) -> bytes:
    """The box with its descendant at ``path`` replaced."""
    parts = []
    for kind, start, end in boxes(whole, 8):
        part = whole[start:end]
        if kind == path[0]:
            part = _replaced(part, path[1:], new) if path[1:] else new
        parts.append(part)
    return box(whole[4:8], b"".join(parts))
