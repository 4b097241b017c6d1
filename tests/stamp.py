"""Pictures that carry the time: 16 x 3 black and white blocks in the top quarter.

Row 0 and 1: 32 bits of the wall clock in milliseconds; row 2: 8 bits frame number, 8 bits CRC-8 of the five
bytes before it (polynomial 0x07). Survives scaling down to 160 x 90.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from fractions import Fraction

import av
import numpy as np

from sfu.media import TapBatch
from tests.generated import H264, OPUS, Feed, GeneratedParticipant, GeneratedTap
from tests.packetize import h264_payloads, rtp

COLUMNS, ROWS = 16, 3

READ_STAMP_JS = """
function readStamp(video, canvas) {
  const g = canvas.getContext('2d', {willReadFrequently: true});
  g.drawImage(video, 0, 0, video.videoWidth, video.videoHeight / 4, 0, 0, 160, 24);
  const d = g.getImageData(0, 0, 160, 24).data, bytes = [0, 0, 0, 0, 0, 0];
  for (let row = 0; row < 3; row++) for (let col = 0; col < 16; col++) {
    let sum = 0, n = 0;
    for (let y = row * 8 + 3; y < row * 8 + 6; y++)
      for (let x = col * 10 + 3; x < col * 10 + 7; x++) { sum += d[4 * (y * 160 + x) + 1]; n++; }
    const bit = row * 16 + col;
    if (sum / n > 128) bytes[bit >> 3] |= 0x80 >> (bit & 7);
  }
  let crc = 0;
  for (const b of bytes.slice(0, 5)) {
    crc ^= b;
    for (let i = 0; i < 8; i++) crc = crc & 0x80 ? (crc << 1 ^ 7) & 255 : crc << 1 & 255;
  }
  if (crc !== bytes[5]) return null;
  return ((bytes[0] << 24 | bytes[1] << 16 | bytes[2] << 8 | bytes[3]) >>> 0);
}
"""


def crc8(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ 7) & 255 if crc & 0x80 else crc << 1 & 255
    return crc


def stamp(grey: np.ndarray, now_ms: int, number: int) -> None:
    """Draw the stamp into the top quarter of a luma plane."""
    head = (now_ms & 0xFFFFFFFF).to_bytes(4, "big") + bytes([number & 255])
    data = head + bytes([crc8(head)])
    bits = np.unpackbits(np.frombuffer(data, np.uint8)).reshape(ROWS, COLUMNS)
    height, width = grey.shape[0] // 4, grey.shape[1]
    rows = np.arange(height) * ROWS // height
    columns = np.arange(width) * COLUMNS // width
    grey[:height] = np.where(bits[rows][:, columns], 235, 16)


class StampedTap(GeneratedTap):
    """Encodes stamped pictures as they are due."""

    def __init__(self, width: int, height: int, fps: int, seconds: float) -> None:
        super().__init__([], 0)
        self._size, self._fps, self._count = (width, height), fps, int(seconds * fps)

    async def __aiter__(self) -> AsyncIterator[TapBatch]:
        width, height = self._size
        encoder = av.CodecContext.create("libx264", "w")
        assert isinstance(encoder, av.VideoCodecContext)
        encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
        encoder.time_base, encoder.framerate, encoder.bit_rate = Fraction(1, self._fps), self._fps, 3_000_000
        encoder.thread_count = 1
        encoder.options = {"preset": "ultrafast", "tune": "zerolatency", "g": "300"}
        planes = np.full((height * 3 // 2, width), 128, np.uint8)
        texture = np.random.default_rng(1).integers(60, 190, (height, 2 * width), np.uint8)
        texture = (texture.astype(np.uint16) + np.roll(texture, 3, 1) + np.roll(texture, 5, 0)) // 3
        start_ns, sequence = time.monotonic_ns(), 0
        for index in range(self._count):
            due_s = (start_ns + index * 1_000_000_000 // self._fps - time.monotonic_ns()) / 1e9
            await asyncio.sleep(max(0.0, due_s))
            planes[:height] = texture[:, (index * 2) % width : (index * 2) % width + width]
            stamp(planes[:height], time.time_ns() // 1_000_000, index)
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            frame.pts, frame.time_base = index, Fraction(1, self._fps)
            for packet in await asyncio.to_thread(encoder.encode, frame):
                packets = rtp(h264_payloads(bytes(packet)), sequence, index * 90_000 // self._fps)
                sequence += len(packets)
                now_us = time.monotonic_ns() // 1000
                yield TapBatch(H264, "", 0, [replace(p, arrival_us=now_us) for p in packets])


class StampedParticipant(GeneratedParticipant):
    """Stamped picture and a tone."""

    def __init__(self, width: int, height: int, fps: int, seconds: float) -> None:
        super().__init__([Feed(OPUS, ends_s=seconds, reports=False)])
        self._arguments = (width, height, fps, seconds)

    async def tap(self, source, *, encoding="auto", queue_packets=4096):  # type: ignore[no-untyped-def]
        if source.kind == "audio":
            return await super().tap(source)
        tap = self.taps["video"] = StampedTap(*self._arguments)
        return tap
