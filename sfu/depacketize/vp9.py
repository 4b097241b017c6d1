"""VP9 over RTP (RFC 9628), with spatial layers as superframes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sfu.depacketize.access_unit import Frame, MalformedPayload
from sfu.depacketize.bits import BitReader

__all__ = ["Vp9Format"]


@dataclass(frozen=True, slots=True)
class Descriptor:
    """The fields of a VP9 payload descriptor that assembling needs (section 4.2)."""

    size: int
    predicted: bool
    begins: bool
    ends: bool
    layer: int


class Vp9Format:
    """A picture is the frames of its spatial layers, lowest first."""

    def begins_frame(self, payload: bytes) -> bool:
        try:
            descriptor = _descriptor(payload)
        except MalformedPayload:
            return False
        return descriptor.begins and descriptor.layer == 0

    def assemble(self, payloads: Sequence[bytes]) -> Frame | None:
        frames: list[bytes] = []
        pieces: list[bytes] = []
        keyframe = False
        for payload in payloads:
            descriptor = _descriptor(payload)
            if descriptor.begins == bool(pieces):
                raise MalformedPayload("frame without start or end")
            if descriptor.begins and not frames:
                keyframe = not descriptor.predicted
            pieces.append(payload[descriptor.size :])
            if descriptor.ends:
                frames.append(b"".join(pieces))
                pieces = []
        if pieces or not frames:
            raise MalformedPayload("frame without its end")
        width = height = None
        if keyframe:
            size = None
            for frame in frames:
                size = _key_size(frame) or size
            if size is None:
                keyframe = False  # an intra-only frame: decoding can't start there
            else:
                width, height = size
        return Frame(_superframe(frames), keyframe, width, height)


def _descriptor(payload: bytes) -> Descriptor:
    flags = payload[0]
    has_id, predicted, has_layers, flexible = flags & 0x80, flags & 0x40, flags & 0x20, flags & 0x10
    at, layer = 1, 0
    try:
        if has_id:
            at += 2 if payload[at] & 0x80 else 1
        if has_layers:
            layer = payload[at] >> 1 & 7
            at += 1 if flexible else 2
        if flexible and predicted:
            for _ in range(3):
                at += 1
                if not payload[at - 1] & 1:
                    break
        if flags & 0x02:
            structure = payload[at]
            at += 1
            if structure & 0x10:
                at += 4 * ((structure >> 5) + 1)
            if structure & 0x08:
                pictures = payload[at]
                at += 1
                for _ in range(pictures):
                    at += 1 + (payload[at] >> 2 & 3)
    except IndexError:
        raise MalformedPayload("descriptor ends early") from None
    if at >= len(payload):
        raise MalformedPayload("descriptor without data")
    return Descriptor(at, bool(predicted), bool(flags & 0x08), bool(flags & 0x04), layer)


def _key_size(frame: bytes) -> tuple[int, int] | None:
    """Picture size from a keyframe's uncompressed header (VP9 specification section 6.2), else None."""
    r = BitReader(frame[:16])
    if r.u(2) != 2:
        raise MalformedPayload("no VP9 frame marker")
    profile = r.u(1) | r.u(1) << 1
    if profile == 3:
        r.u(1)
    if r.u(1) or r.u(1):  # show_existing_frame, or frame_type not 0 (KEY_FRAME)
        return None
    r.u(2)
    if r.u(24) != 0x498342:
        raise MalformedPayload("no VP9 sync code")
    if profile >= 2:
        r.u(1)
    if r.u(3) != 7:
        r.u(1)
        if profile in (1, 3):
            r.u(3)
    elif profile in (1, 3):
        r.u(1)
    return r.u(16) + 1, r.u(16) + 1


def _superframe(frames: Sequence[bytes]) -> bytes:
    """Frames with a superframe index behind them (VP9 specification annex B)."""
    if len(frames) == 1:
        return frames[0]
    if len(frames) > 8:
        raise MalformedPayload("more than 8 layers")
    width = (max(map(len, frames)).bit_length() + 7) // 8
    marker = bytes([0xC0 | width - 1 << 3 | len(frames) - 1])
    sizes = b"".join(len(frame).to_bytes(width, "little") for frame in frames)
    return b"".join(frames) + marker + sizes + marker
