"""How large the mixed program is, by the machine."""

from __future__ import annotations

import os

__all__ = ["mixer_arguments"]

PROGRAM_BITRATES = {
    360: (800_000, 1_100_000),
    540: (1_500_000, 2_100_000),
    720: (2_500_000, 3_500_000),
    1080: (4_500_000, 6_000_000),
}
"""Target and ceiling of the mixed program by its height, in bits per second."""


def mixer_arguments(height: int | None) -> dict[str, object]:
    """1080p takes three quarters of a core for two hosts; a small machine has to do with 720p."""
    height = height or (1080 if (os.cpu_count() or 1) >= 4 else 720)
    bitrate_bps, max_bitrate_bps = PROGRAM_BITRATES[height]
    return {
        "width": height * 16 // 9,
        "height": height,
        "bitrate_bps": bitrate_bps,
        "max_bitrate_bps": max_bitrate_bps,
    }
