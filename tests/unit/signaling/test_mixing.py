"""From the settings to the bits that the mixer's encoders make."""

from __future__ import annotations

import numpy as np
import pytest

from mixer.composite.cpu import CpuCompositor
from mixer.composite.picture import blank
from mixer.messages import MixerConfig
from mixer.program import FULL, HALF, PictureOutput
from mixer.stage import Stage
from signaling.configuration import ConfigurationError, load
from signaling.mixing import PROGRAM_BITRATES, mixer_arguments

FPS = 30


def config(**environment: str) -> MixerConfig:
    settings = load({}, {f"SPILLWAY_PROGRAM_{name.upper()}": value for name, value in environment.items()})
    arguments = mixer_arguments(settings.program_height, settings.program_bitrate)
    return MixerConfig(**arguments, compositor="cpu", encoders=("libx264",), preset="ultrafast")  # type: ignore[arg-type]


def test_defaults_go_by_height() -> None:
    for height, bitrate_bps in PROGRAM_BITRATES.items():
        made = config(height=str(height))
        assert (made.width * 9, made.bitrate_bps) == (height * 16, bitrate_bps)
        assert made.bitrate_bps < made.max_bitrate_bps
    for wrong in ("99999", "50000001", "much"):
        with pytest.raises(ConfigurationError, match="program_bitrate"):
            config(bitrate=wrong)


def test_the_setting_is_what_both_sizes_are_encoded_at() -> None:
    wanted = config(height="360", bitrate="600000")
    compositor = CpuCompositor()
    output = PictureOutput(wanted, Stage(wanted.width, wanted.height), compositor)
    rng, made = np.random.default_rng(1), {FULL: 0, HALF: 0}
    for n in range(3 * FPS):
        full = blank(wanted.width, wanted.height)
        full.y[:] = rng.integers(60, 200, (23, 40)).repeat(16, 0).repeat(16, 1)[:360]
        for rid, picture in ((FULL, full), (HALF, compositor.halve(full))):
            packets = output.encode(rid, picture, n * 3000, n * 1_000_000 // FPS)
            if n >= FPS:  # the first second fills the encoder's buffer
                made[rid] += sum(len(packet.payload) for packet in packets)
    assert made[FULL] * 8 / 2 == pytest.approx(600_000, rel=0.3)
    assert made[HALF] * 8 / 2 == pytest.approx(150_000, rel=0.3)
