"""Tones and their Opus packets, as hosts send them."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np

from mixer.sound import RATE

__all__ = ["opus_packets", "sine"]


def sine(hz: float, seconds: float, amplitude: float = 0.5) -> np.ndarray:
    """(samples, 2) float32."""
    wave = amplitude * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE)
    return np.repeat(wave[:, None], 2, axis=1).astype(np.float32)


def opus_packets(signal: np.ndarray, fec: bool = False) -> list[bytes]:
    """20 ms packets; with ``fec`` at a bit rate and in a mode (SILK) that carry in-band FEC."""
    options = {"frame_duration": "20", "application": "voip" if fec else "audio"}
    if fec:
        options |= {"fec": "1", "packet_loss": "20"}
    encoder = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format = RATE, "stereo", "flt"  # type: ignore[misc]
    encoder.bit_rate, encoder.options = (24_000 if fec else 64_000), options
    encoder.time_base = Fraction(1, RATE)
    out = []
    for index in range(0, len(signal) - 959, 960):
        block = np.ascontiguousarray(signal[index : index + 960]).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(block, "flt", "stereo")
        frame.sample_rate, frame.pts = RATE, index
        out += [bytes(packet) for packet in encoder.encode(frame)]
    return out
