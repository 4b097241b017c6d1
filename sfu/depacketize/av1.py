"""AV1 over RTP (RTP Payload Format For AV1, Alliance for Open Media)."""

from __future__ import annotations

from collections.abc import Sequence

from sfu.depacketize.access_unit import Frame, MalformedPayload
from sfu.depacketize.bits import BitReader, read_leb128, write_leb128

__all__ = ["Av1Format"]

SEQUENCE_HEADER, TEMPORAL_DELIMITER, TILE_GROUP, TILE_LIST, PADDING = 1, 2, 4, 8, 15
DELIMITER = bytes([TEMPORAL_DELIMITER << 3 | 2, 0])


class Av1Format:
    """A temporal unit: OBU elements joined over packets, sizes put back in."""

    def begins_frame(self, payload: bytes) -> bool:
        if payload[0] & 0x80:
            return False
        try:
            elements = _elements(payload)
        except MalformedPayload:
            return False
        return bool(elements) and elements[0][0] >> 3 & 15 != TILE_GROUP

    def assemble(self, payloads: Sequence[bytes]) -> Frame | None:
        obus: list[bytes] = []
        open_obu: bytes | None = None
        for payload in payloads:
            elements = _elements(payload)
            continues, goes_on = payload[0] & 0x80, payload[0] & 0x40
            if bool(continues) != (open_obu is not None):
                raise MalformedPayload("OBU without its start or end")
            if open_obu is not None:
                elements[0] = open_obu + elements[0]
                open_obu = None
            if goes_on:
                open_obu = elements.pop()
            obus += elements
        if open_obu is not None:
            raise MalformedPayload("OBU without its end")
        out, size = [DELIMITER], None
        for obu in obus:
            kind = obu[0] >> 3 & 15
            if kind in (TEMPORAL_DELIMITER, TILE_LIST, PADDING):
                continue
            header, body = _split(obu)
            if kind == SEQUENCE_HEADER:
                size = _sequence_size(body)
            out.append(header + write_leb128(len(body)) + body)
        if len(out) == 1:
            return None
        return Frame(b"".join(out), size is not None, *(size or (None, None)))


def _elements(payload: bytes) -> list[bytes]:
    """The OBU elements of one packet (section 4.3): W counts them, the last then has no length."""
    count = payload[0] >> 4 & 3
    at = 1
    elements: list[bytes] = []
    while at < len(payload):
        if count and len(elements) == count - 1:
            element, at = payload[at:], len(payload)
        else:
            size, at = read_leb128(payload, at)
            element = payload[at : at + size]
            if len(element) < size:
                raise MalformedPayload("OBU element ends early")
            at += size
        if not element:
            raise MalformedPayload("empty OBU element")
        elements.append(element)
    if not elements or (count and len(elements) != count):
        raise MalformedPayload("wrong number of OBU elements")
    return elements


def _split(obu: bytes) -> tuple[bytes, bytes]:
    """Header (with has_size_field set) and body of an OBU that may or may not carry its size."""
    header_size = 2 if obu[0] & 0x04 else 1
    if len(obu) < header_size:
        raise MalformedPayload("OBU header ends early")
    at = header_size
    if obu[0] & 0x02:
        size, at = read_leb128(obu, at)
        if len(obu) - at < size:
            raise MalformedPayload("OBU ends early")
        obu = obu[: at + size]
    return bytes([obu[0] | 0x02]) + obu[1:header_size], obu[at:]


def _sequence_size(body: bytes) -> tuple[int, int]:
    """max_frame_width and _height (AV1 specification section 5.5.1)."""
    r = BitReader(body[:64])
    r.u(4)
    if r.u(1):
        r.u(5)
    else:
        decoder_model = 0
        if r.u(1):
            r.u(64)
            if r.u(1):
                r.ue()
            if r.u(1):
                decoder_model = r.u(5) + 1
                r.u(42)
        display_delay = r.u(1)
        for _ in range(r.u(5) + 1):
            r.u(12)
            if r.u(5) > 7:
                r.u(1)
            if decoder_model and r.u(1):
                r.u(2 * decoder_model + 1)
            if display_delay and r.u(1):
                r.u(4)
    width_bits, height_bits = r.u(4) + 1, r.u(4) + 1
    return r.u(width_bits) + 1, r.u(height_bits) + 1
