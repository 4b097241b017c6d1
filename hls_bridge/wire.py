"""Events of a worker over a byte stream: a Unix-domain socket to the control process.

A frame is two 32-bit big-endian lengths, a JSON header and the payload (init segments, parts, JPEG). Chosen
over HTTP because parts of all tracks have to arrive in order and one connection's end tells of a crash.
"""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from hls_bridge.part import (
    EpochEnd,
    EpochStart,
    Event,
    Part,
    PartGroup,
    Thumbnail,
    TrackSpec,
    TrackStart,
    TrackStop,
)

__all__ = ["BadFrame", "decode_event", "encode_event", "read_frame", "write_frame"]

_LENGTHS = struct.Struct(">II")
MAX_FRAME = 64 * 1024 * 1024
"""A part of a second at 100 Mb/s in four rungs is 50 MB."""


class BadFrame(ValueError):
    """The peer sent what is no frame of ours."""


def encode_event(event: Event) -> tuple[dict[str, Any], bytes]:
    """Header and payload of one event."""
    match event:
        case EpochStart(tracks, start_us):
            header = {"type": "epoch", "start_us": start_us, "tracks": [_spec(t) for t in tracks]}
            return header, b"".join(t.init for t in tracks)
        case EpochEnd():
            return {"type": "epoch-end"}, b""
        case TrackStart(track, segment):
            return {"type": "start", "segment": segment, "tracks": [_spec(track)]}, track.init
        case TrackStop(name):
            return {"type": "stop", "name": name}, b""
        case PartGroup(parts):
            header = {"type": "parts", "parts": [_sized(part, "data") for part in parts]}
            return header, b"".join(part.data for part in parts)
        case Thumbnail(at_us, jpeg):
            return {"type": "thumbnail", "at_us": at_us}, jpeg


def decode_event(header: Mapping[str, Any], payload: bytes) -> Event:
    """The inverse of `encode_event`. Raises BadFrame."""
    try:
        match header["type"]:
            case "epoch":
                return EpochStart(_unpack(TrackSpec, header["tracks"], "init", payload), header["start_us"])
            case "epoch-end":
                return EpochEnd()
            case "start":
                (track,) = _unpack(TrackSpec, header["tracks"], "init", payload)
                return TrackStart(track, header["segment"])
            case "stop":
                return TrackStop(header["name"])
            case "parts":
                return PartGroup(_unpack(Part, header["parts"], "data", payload))
            case "thumbnail":
                return Thumbnail(header["at_us"], payload)
            case other:
                raise BadFrame(f"unknown event {other!r}")
    except (KeyError, TypeError, ValueError) as error:
        raise BadFrame(f"bad event: {error}") from error


async def read_frame(reader: asyncio.StreamReader) -> tuple[dict[str, Any], bytes] | None:
    """The next frame; None at the end of the stream. Raises BadFrame."""
    try:
        header_size, payload_size = _LENGTHS.unpack(await reader.readexactly(_LENGTHS.size))
        if header_size + payload_size > MAX_FRAME:
            raise BadFrame("frame too large")
        header = json.loads(await reader.readexactly(header_size))
        payload = await reader.readexactly(payload_size)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    except ValueError as error:
        raise BadFrame(str(error)) from error
    if not isinstance(header, dict):
        raise BadFrame("header is no object")
    return header, payload


def write_frame(writer: asyncio.StreamWriter, header: Mapping[str, Any], payload: bytes = b"") -> None:
    """Queue a frame; drain afterwards."""
    text = json.dumps(header, separators=(",", ":")).encode()
    writer.write(_LENGTHS.pack(len(text), len(payload)) + text)
    if payload:
        writer.write(payload)


def _spec(track: TrackSpec) -> dict[str, Any]:
    return _sized(track, "init")


def _sized(value: Part | TrackSpec, name: str) -> dict[str, Any]:
    out = asdict(value)
    out[name] = len(out[name])
    return out


def _unpack(kind: Any, items: list[dict[str, Any]], name: str, payload: bytes) -> tuple[Any, ...]:
    known = {field.name for field in fields(kind)}
    out, at = [], 0
    for item in items:
        size = int(item[name])
        if size < 0 or at + size > len(payload):
            raise BadFrame("payload ends early")
        values = {key: value for key, value in item.items() if key in known}
        values[name] = payload[at : at + size]
        out.append(kind(**values))
        at += size
    return tuple(out)
