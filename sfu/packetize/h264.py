"""H.264 over RTP (RFC 6184), packetization-mode 1: single NAL units, STAP-A and FU-A."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sfu.media import RtpPacket

__all__ = ["DEFAULT_MAX_PAYLOAD", "H264Packetizer", "nal_units"]

# 1200 bytes with RTP header, extensions, SRTP tag, UDP and IPv6 stay below the 1280 of any IPv6 path.
DEFAULT_MAX_PAYLOAD = 1140

_STAP_A, _FU_A = 24, 28
_AUD, _FILLER = 9, 12
_START_CODE = re.compile(b"\x00\x00\x01")


def nal_units(annex_b: bytes) -> list[bytes]:
    """The NAL units of a byte stream (H.264 annex B), without start codes and trailing zeros."""
    starts = [match.end() for match in _START_CODE.finditer(annex_b)]
    ends = [start - 3 for start in starts[1:]] + [len(annex_b)]
    units = (annex_b[start:end].rstrip(b"\x00") for start, end in zip(starts, ends, strict=False))
    return [unit for unit in units if unit]


class H264Packetizer:
    """Cuts access units into packets; sequence numbers run on from ``sequence`` and wrap."""

    def __init__(self, sequence: int = 0, max_payload: int = DEFAULT_MAX_PAYLOAD) -> None:
        if max_payload < 64:
            raise ValueError(f"max_payload {max_payload} is too small")
        self._sequence = sequence
        self._max = max_payload

    def packetize(self, units: Sequence[bytes] | bytes, timestamp: int) -> list[RtpPacket]:
        """One access unit, as NAL units or Annex B; ``timestamp`` is RTP time, taken modulo 2^32.

        The last packet has the marker. Access unit delimiters and filler are left out: they mean
        nothing over RTP. An access unit of nothing else gives no packets.
        """
        nals = nal_units(units) if isinstance(units, bytes) else units
        payloads: list[bytes] = []
        group: list[bytes] = []
        for nal in nals:
            if not nal or nal[0] & 31 in (_AUD, _FILLER):
                continue
            if group and _group_size(group) + 2 + len(nal) > self._max:
                payloads.append(_aggregate(group))
                group = []
            if len(nal) > self._max:
                payloads += self._fragment(nal)
            else:
                group.append(nal)
        if group:
            payloads.append(_aggregate(group))
        packets = []
        for index, payload in enumerate(payloads):
            marker = index == len(payloads) - 1
            packets.append(RtpPacket(self._sequence & 0xFFFF, timestamp % 2**32, marker, payload))
            self._sequence = (self._sequence + 1) & 0xFFFF
        return packets

    def _fragment(self, nal: bytes) -> list[bytes]:
        """FU-A (section 5.8), all fragments of about one size: equal ones leave in one GSO send."""
        body = nal[1:]
        indicator, kind = nal[0] & 0xE0 | _FU_A, nal[0] & 31
        count = -(-len(body) // (self._max - 2))
        size = -(-len(body) // count)
        parts = [body[at : at + size] for at in range(0, len(body), size)]
        last = len(parts) - 1
        return [
            bytes((indicator, kind | (0x80 if n == 0 else 0) | (0x40 if n == last else 0))) + part
            for n, part in enumerate(parts)
        ]


def _group_size(group: Sequence[bytes]) -> int:
    return 1 + sum(2 + len(nal) for nal in group)


def _aggregate(group: Sequence[bytes]) -> bytes:
    """STAP-A (section 5.7.1), or the NAL unit itself when it is alone."""
    if len(group) == 1:
        return group[0]
    # F is the OR and NRI the maximum of those inside (section 5.7).
    header = max(nal[0] & 0x60 for nal in group) | max(nal[0] & 0x80 for nal in group) | _STAP_A
    return bytes((header,)) + b"".join(len(nal).to_bytes(2, "big") + nal for nal in group)
