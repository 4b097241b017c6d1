"""How large the mixed program is: by the settings, else by the machine."""

from __future__ import annotations

import os

__all__ = ["mixer_arguments"]

PROGRAM_BITRATES = {360: 800_000, 540: 1_500_000, 720: 2_500_000, 1080: 4_500_000}
"""Bits per second by height: what x264's ``superfast`` needs for people before a camera."""


def mixer_arguments(height: int | None, bitrate_bps: int | None) -> dict[str, object]:
    """Fields of MixerConfig."""
    # 1080p takes three quarters of a core for two hosts; a small machine has to do with 720p.
    height = height or (1080 if (os.cpu_count() or 1) >= 4 else 720)
    bitrate_bps = bitrate_bps or PROGRAM_BITRATES[height]
    return {
        "width": height * 16 // 9,
        "height": height,
        "bitrate_bps": bitrate_bps,
        # A third more for a second in which everything moves.
        "max_bitrate_bps": bitrate_bps * 4 // 3,
    }
