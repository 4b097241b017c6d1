"""Encoded frames to RTP payloads, for tests: the sender's side of each payload format."""

from __future__ import annotations

from collections.abc import Iterable

from sfu.depacketize.bits import read_leb128, write_leb128
from sfu.depacketize.h264 import split_annex_b
from sfu.media import RtpPacket

MTU = 1100


def h264_payloads(annex_b: bytes, mtu: int = MTU) -> list[bytes]:
    """Small NAL units in front go into one STAP-A, large ones into FU-A."""
    payloads: list[bytes] = []
    small: list[bytes] = []

    def end_stap() -> None:
        if len(small) == 1:
            payloads.append(small[0])
        elif small:
            payloads.append(b"\x78" + b"".join(len(n).to_bytes(2, "big") + n for n in small))
        small.clear()

    for nal in split_annex_b(annex_b):
        if sum(map(len, small)) + len(nal) + 40 <= mtu:
            small.append(nal)
            continue
        end_stap()
        if len(nal) <= mtu:
            small.append(nal)
            continue
        pieces = [nal[1 + i : 1 + i + mtu - 2] for i in range(0, len(nal) - 1, mtu - 2)]
        for i, piece in enumerate(pieces):
            flags = (0x80 if i == 0 else 0) | (0x40 if i == len(pieces) - 1 else 0)
            payloads.append(bytes([nal[0] & 0xE0 | 28, flags | nal[0] & 0x1F]) + piece)
    end_stap()
    return payloads


def vp8_payloads(frame: bytes, picture_id: int, mtu: int = MTU) -> list[bytes]:
    """15-bit picture ids, one partition."""
    pieces = [frame[i : i + mtu] for i in range(0, len(frame), mtu)]
    return [
        bytes([0x90 if i == 0 else 0x80, 0x80, 0x80 | picture_id >> 8 & 0x7F, picture_id & 0xFF]) + piece
        for i, piece in enumerate(pieces)
    ]


def vp9_payloads(
    frame: bytes, picture_id: int, keyframe: bool, *, layer: int | None = None, mtu: int = MTU
) -> list[bytes]:
    """Non-flexible mode; ``layer`` adds layer indices."""
    pieces = [frame[i : i + mtu] for i in range(0, len(frame), mtu)]
    payloads = []
    for i, piece in enumerate(pieces):
        flags = 0x80 | (0 if keyframe else 0x40) | (0x08 if i == 0 else 0)
        flags |= 0x04 if i == len(pieces) - 1 else 0
        head = bytes([0x80 | picture_id >> 8 & 0x7F, picture_id & 0xFF])
        if layer is not None:
            flags |= 0x20
            head += bytes([layer << 1, 0])
        payloads.append(bytes([flags]) + head + piece)
    return payloads


def av1_payloads(unit: bytes, mtu: int = MTU) -> list[bytes]:
    """W = 1: one OBU element (or a piece of one) a packet."""
    payloads, at = [], 0
    first = True
    while at < len(unit):
        header = unit[at]
        assert header & 2
        head_end = at + (2 if header & 4 else 1)
        size, body = read_leb128(unit, head_end)
        obu = bytes([header & ~2]) + unit[at + 1 : head_end] + unit[body : body + size]
        at = body + size
        kind = header >> 3 & 15
        if kind == 2:
            continue
        pieces = [obu[i : i + mtu] for i in range(0, len(obu), mtu)]
        for i, piece in enumerate(pieces):
            flags = (0x80 if i else 0) | (0x40 if i < len(pieces) - 1 else 0)
            if first and kind == 1:
                flags |= 0x08
            first = False
            if flags & 0x48 == 0x08:  # W = 0 once, so that lengths are read too
                payloads.append(bytes([flags]) + write_leb128(len(piece)) + piece)
            else:
                payloads.append(bytes([flags | 0x10]) + piece)
    return payloads


def rtp(
    payloads: Iterable[bytes], sequence: int, timestamp: int, *, marker: bool = True, arrival_us: int = 0
) -> list[RtpPacket]:
    """Number payloads of one frame; the last one has the marker."""
    items = list(payloads)
    return [
        RtpPacket(
            (sequence + i) & 0xFFFF,
            timestamp & 0xFFFFFFFF,
            marker and i == len(items) - 1,
            payload,
            arrival_us,
        )
        for i, payload in enumerate(items)
    ]
