"""The multivariant playlist."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hls_bridge.part import TrackSpec

__all__ = ["Bandwidth", "Variant", "render_master"]


@dataclass(slots=True)
class Bandwidth:
    """Peak and average bit rate of the segments made so far."""

    estimate_bps: int
    peak_bps: int = 0
    _bits: int = 0
    _us: int = 0

    def add(self, size: int, duration_us: int) -> None:
        """A finished segment. Short ones (ends of epochs) don't make a peak."""
        self._bits += 8 * size
        self._us += duration_us
        if duration_us >= 1_000_000:
            self.peak_bps = max(self.peak_bps, 8_000_000 * size // duration_us)

    @property
    def peak(self) -> int:
        return self.peak_bps or self.estimate_bps

    @property
    def average(self) -> int:
        return 1_000_000 * self._bits // self._us if self._us else self.estimate_bps


@dataclass(frozen=True, slots=True)
class Variant:
    """A listed track."""

    spec: TrackSpec
    uri: str
    bandwidth: Bandwidth


def render_master(video: Sequence[Variant], sound: Variant | None) -> str:
    """Best rung first; BANDWIDTH holds the sound as well (RFC 8216bis 4.4.6.2)."""
    out = ["#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-INDEPENDENT-SEGMENTS\n"]
    extra_peak = extra_average = 0
    codecs, group = "", ""
    if sound is not None:
        extra_peak, extra_average = sound.bandwidth.peak, sound.bandwidth.average
        codecs, group = f",{sound.spec.codec}", ',AUDIO="sound"'
        out.append(
            '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="sound",NAME="Sound",DEFAULT=YES,AUTOSELECT=YES,'
            f'CHANNELS="{sound.spec.channels}",URI="{sound.uri}"\n'
        )
    for variant in video:
        spec = variant.spec
        out.append(
            f"#EXT-X-STREAM-INF:BANDWIDTH={variant.bandwidth.peak + extra_peak},"
            f"AVERAGE-BANDWIDTH={variant.bandwidth.average + extra_average},"
            f'CODECS="{spec.codec}{codecs}",RESOLUTION={spec.width}x{spec.height},'
            f"FRAME-RATE={spec.fps:.3f}{group},CLOSED-CAPTIONS=NONE\n{variant.uri}\n"
        )
    return "".join(out)
