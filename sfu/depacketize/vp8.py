"""VP8 over RTP (RFC 7741)."""

from __future__ import annotations

from collections.abc import Sequence

from sfu.depacketize.access_unit import Frame, MalformedPayload

__all__ = ["Vp8Format"]


class Vp8Format:
    """A frame is its packets' payloads without their descriptors."""

    def begins_frame(self, payload: bytes) -> bool:
        return payload[0] & 0x17 == 0x10  # S set, partition index 0 (section 4.2)

    def assemble(self, payloads: Sequence[bytes]) -> Frame | None:
        if not self.begins_frame(payloads[0]):
            raise MalformedPayload("frame without its first partition")
        data = b"".join(payload[_descriptor_size(payload) :] for payload in payloads)
        if len(data) < 3:
            raise MalformedPayload("frame too short")
        if data[0] & 1:
            return Frame(data, False)
        # Keyframe header: 3-byte tag, start code, 14-bit width and height (RFC 6386 section 9.1).
        if len(data) < 10 or data[3:6] != b"\x9d\x01\x2a":
            raise MalformedPayload("keyframe without its start code")
        width = int.from_bytes(data[6:8], "little") & 0x3FFF
        height = int.from_bytes(data[8:10], "little") & 0x3FFF
        if not width or not height:
            raise MalformedPayload("keyframe without a size")
        return Frame(data, True, width, height)


def _descriptor_size(payload: bytes) -> int:
    size = 1
    if payload[0] & 0x80:
        if len(payload) < 2:
            raise MalformedPayload("descriptor ends early")
        extended = payload[1]
        size = 2
        if extended & 0x80:
            if len(payload) < 3:
                raise MalformedPayload("descriptor ends early")
            size += 2 if payload[2] & 0x80 else 1
        size += bool(extended & 0x40) + bool(extended & 0x30)
    if len(payload) <= size:
        raise MalformedPayload("descriptor without data")
    return size
