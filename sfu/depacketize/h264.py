"""H.264 over RTP (RFC 6184), packetization modes 0 and 1, to Annex B."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass

from sfu.depacketize.access_unit import Frame, MalformedPayload
from sfu.depacketize.bits import BitReader

__all__ = ["H264Format", "Sps", "parse_sps", "split_annex_b"]

START_CODE = b"\x00\x00\x00\x01"
SLICE, IDR, SPS, PPS, AUD, FILLER = 1, 5, 7, 8, 9, 12
STAP_A, FU_A = 24, 28
# Profiles whose SPS carries chroma_format_idc and scaling matrices (H.264 section 7.3.2.1.1).
HIGH_PROFILES = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})


@dataclass(frozen=True, slots=True)
class Sps:
    """The part of a sequence parameter set that others ask for."""

    sps_id: int
    profile: int
    constraints: int
    level: int
    width: int
    """Pixels after cropping."""
    height: int
    interlaced: bool

    @property
    def codec_string(self) -> str:
        """The RFC 6381 name, e.g. ``avc1.64001F``."""
        return f"avc1.{self.profile:02X}{self.constraints:02X}{self.level:02X}"


def parse_sps(nal: bytes) -> Sps:
    """Read a sequence parameter set NAL unit, its header byte included. Raises MalformedPayload."""
    r = BitReader(nal[1:].replace(b"\x00\x00\x03", b"\x00\x00"))
    profile, constraints, level, sps_id = r.u(8), r.u(8), r.u(8), r.ue()
    chroma_format = 1
    if profile in HIGH_PROFILES:
        chroma_format = r.ue()
        if chroma_format == 3:
            r.u(1)
        r.ue(), r.ue(), r.u(1)
        if r.u(1):
            for index in range(8 if chroma_format != 3 else 12):
                if r.u(1):
                    _skip_scaling_list(r, 16 if index < 6 else 64)
    r.ue()
    match r.ue():
        case 0:
            r.ue()
        case 1:
            r.u(1), r.se(), r.se()
            cycle = r.ue()
            if cycle > 255:
                raise MalformedPayload("offset_for_ref_frame cycle too long")
            for _ in range(cycle):
                r.se()
    r.ue(), r.u(1)
    width_mbs, height_units = r.ue() + 1, r.ue() + 1
    progressive = r.u(1)
    if not progressive:
        r.u(1)
    r.u(1)
    left = right = top = bottom = 0
    if r.u(1):
        left, right, top, bottom = r.ue(), r.ue(), r.ue(), r.ue()
    # Cropping units, H.264 table 6-1 and equations 7-19 to 7-22.
    unit_x = 2 if chroma_format in (1, 2) else 1
    unit_y = (2 if chroma_format == 1 else 1) * (2 - progressive)
    width = 16 * width_mbs - unit_x * (left + right)
    height = 16 * height_units * (2 - progressive) - unit_y * (top + bottom)
    if not (0 < width <= 16384 and 0 < height <= 16384):
        raise MalformedPayload(f"picture of {width}x{height}")
    return Sps(sps_id, profile, constraints, level, width, height, not progressive)


def _skip_scaling_list(r: BitReader, size: int) -> None:
    last, following = 8, 8
    for _ in range(size):
        if following:
            following = (last + r.se()) % 256
        last = following or last


def split_annex_b(data: bytes) -> list[bytes]:
    """The NAL units of an Annex B byte stream, without start codes."""
    nals = []
    for piece in data.split(b"\x00\x00\x01")[1:]:
        nal = piece.rstrip(b"\x00")
        if nal:
            nals.append(nal)
    return nals


class H264Format:
    """Keeps the newest parameter sets, from the stream and from ``sprop-parameter-sets``."""

    def __init__(self, sprop_parameter_sets: str = "") -> None:
        self._sps: dict[int, tuple[bytes, Sps]] = {}
        self._pps: dict[int, bytes] = {}
        for item in filter(None, sprop_parameter_sets.split(",")):
            try:
                self._remember(base64.b64decode(item, validate=True))
            except (binascii.Error, MalformedPayload):
                continue  # the stream itself brings them as well

    def begins_frame(self, payload: bytes) -> bool:
        kind = payload[0] & 0x1F
        if kind == FU_A:
            if len(payload) < 3 or not payload[1] & 0x80:
                return False
            return self._begins_picture(payload[1] & 0x1F, payload[2:])
        if kind == STAP_A:
            return len(payload) > 4 and self._begins_picture(payload[3] & 0x1F, payload[4:])
        return self._begins_picture(kind, payload[1:])

    @staticmethod
    def _begins_picture(kind: int, rest: bytes) -> bool:
        # first_mb_in_slice is the first field of a slice header; 0 is a single 1 bit (section 7.3.3).
        if kind in (SLICE, IDR):
            return bool(rest) and bool(rest[0] & 0x80)
        return kind in (6, SPS, PPS, AUD)

    def assemble(self, payloads: Sequence[bytes]) -> Frame | None:
        nals = [nal for nal in _nals(payloads) if nal[0] & 0x1F not in (AUD, FILLER)]
        kinds = {nal[0] & 0x1F for nal in nals}
        for nal in nals:
            if nal[0] & 0x1F in (SPS, PPS):
                self._remember(nal)
        if not kinds & {SLICE, IDR, 2}:
            return None
        if IDR not in kinds:
            return Frame(_annex_b(nals), False)
        if not self._sps or not self._pps:
            raise MalformedPayload("IDR without parameter sets")
        rest = [nal for nal in nals if nal[0] & 0x1F not in (SPS, PPS)]
        sets = [nal for nal, _ in self._sps.values()] + list(self._pps.values())
        active = next((nal for nal in nals if nal[0] & 0x1F == SPS), None)
        sps = parse_sps(active) if active else next(reversed(self._sps.values()))[1]
        return Frame(_annex_b([*sets, *rest]), True, sps.width, sps.height)

    def _remember(self, nal: bytes) -> None:
        kind = nal[0] & 0x1F
        if kind == SPS:
            sps = parse_sps(nal)
            if sps.sps_id > 31:
                raise MalformedPayload("seq_parameter_set_id above 31")
            self._sps.pop(sps.sps_id, None)
            self._sps[sps.sps_id] = (nal, sps)
        elif kind == PPS:
            pps_id = BitReader(nal[1:9]).ue()
            if pps_id > 255:
                raise MalformedPayload("pic_parameter_set_id above 255")
            self._pps[pps_id] = nal


def _annex_b(nals: Sequence[bytes]) -> bytes:
    return b"".join(START_CODE + nal for nal in nals)


def _nals(payloads: Sequence[bytes]) -> list[bytes]:
    """NAL units out of single NAL unit packets, STAP-A and FU-A (RFC 6184 sections 5.6 to 5.8)."""
    nals: list[bytes] = []
    fragments: list[bytes] | None = None
    for payload in payloads:
        kind = payload[0] & 0x1F
        if fragments is not None and kind != FU_A:
            raise MalformedPayload("FU-A without an end")
        if 1 <= kind <= 23:
            nals.append(payload)
        elif kind == STAP_A:
            nals += _aggregated(payload)
        elif kind == FU_A:
            if len(payload) < 3:
                raise MalformedPayload("FU-A too short")
            if payload[1] & 0x80:
                fragments = [bytes([payload[0] & 0xE0 | payload[1] & 0x1F])]
            if fragments is None:
                raise MalformedPayload("FU-A without a start")
            fragments.append(payload[2:])
            if payload[1] & 0x40:
                nals.append(b"".join(fragments))
                fragments = None
        else:
            raise MalformedPayload(f"NAL unit type {kind} is not for packetization modes 0 and 1")
    if fragments is not None:
        raise MalformedPayload("FU-A without an end")
    return nals


def _aggregated(payload: bytes) -> list[bytes]:
    nals, offset = [], 1
    while offset + 2 < len(payload):
        size = int.from_bytes(payload[offset : offset + 2], "big")
        nal = payload[offset + 2 : offset + 2 + size]
        if not size or len(nal) < size:
            raise MalformedPayload("STAP-A ends early")
        nals.append(nal)
        offset += 2 + size
    return nals
