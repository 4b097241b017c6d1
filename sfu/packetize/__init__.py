"""Access units to RTP packets, the inverse of `sfu.depacketize`. Pure: no clock, no SSRC, no socket."""

from __future__ import annotations

from sfu.packetize.h264 import DEFAULT_MAX_PAYLOAD, H264Packetizer, nal_units
from sfu.packetize.opus import OpusPacketizer

__all__ = ["DEFAULT_MAX_PAYLOAD", "H264Packetizer", "OpusPacketizer", "nal_units"]
