"""Sound at 48 kHz stereo float: decoding, one clock for all hosts, levels, the mix and its encoding."""

from __future__ import annotations

__all__ = ["BLOCK", "RATE"]

RATE = 48_000
BLOCK = 480
"""Samples rendered at once: 10 ms."""
