"""The ladder: every setting of a rendition, in one value in one place."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["SOUND", "Rendition", "SoundRendition", "base_tier", "choose_fps", "choose_ladder"]


@dataclass(frozen=True, slots=True)
class Rendition:
    """One rung of pictures; two streams with equal values may share encoder settings."""

    name: str
    width: int
    height: int
    fps: int
    bitrate_bps: int
    maxrate_bps: int
    bufsize_bits: int
    preset: str
    passthrough: bool = False
    """The source's own H.264, cut at its IDRs; the rates are then only the estimate to start with."""

    @property
    def codec(self) -> str:
        """RFC 6381 name before an encoder has told its own: High profile at the level that fits."""
        macroblocks = (self.width + 15) // 16 * ((self.height + 15) // 16)
        rate = macroblocks * self.fps
        for level, size, per_s in ((30, 1620, 40_500), (31, 3600, 108_000), (40, 8192, 245_760)):
            if macroblocks <= size and rate <= per_s:
                return f"avc1.6400{level:02X}"
        return "avc1.64002A" if macroblocks <= 8704 else "avc1.640033"


@dataclass(frozen=True, slots=True)
class SoundRendition:
    """The one sound track that all rungs share."""

    name: str = "sound"
    bitrate_bps: int = 128_000
    channels: int = 2
    codec: str = "mp4a.40.2"


SOUND = SoundRendition()

# Bits for 30 frames a second of camera pictures at superfast/veryfast; 60 frames cost 1.4 times as much.
_RUNGS = ((1080, 4_300_000, "superfast"), (720, 2_500_000, "superfast"), (480, 1_200_000, "superfast"))
_LOWEST = (360, 700_000, "superfast")


def choose_fps(measured: float) -> int:
    """The constant rate nearest to a source's; lower rates are filled up with repeats to 30."""
    if measured >= 55:
        return 60
    if measured >= 45:
        return 50
    if 24.5 <= measured < 25.5:
        return 25
    return 24 if 23.5 <= measured < 24.5 else 30


def choose_ladder(width: int, height: int, fps: int, *, passthrough: bool = False) -> tuple[Rendition, ...]:
    """Rungs for a source of this size, best first, never above it; sizes are even.

    Rungs are named by the shorter side, so that a portrait source gets portrait rungs.
    """
    short = min(width, height)
    rungs: list[Rendition] = []
    if passthrough:
        rungs.append(_rung(width, height, short, fps, _bitrate_for(short), "superfast", passthrough=True))
    for size, bitrate, preset in (*_RUNGS, _LOWEST):
        if size > short or (passthrough and size > short * 0.8):
            continue
        rate = fps if size >= 1080 or fps <= 30 else fps // 2
        rungs.append(_rung(width, height, size, rate, bitrate, preset))
    if not rungs:
        rungs.append(_rung(width, height, short, min(fps, 30), _LOWEST[1], _LOWEST[2]))
    return tuple(rungs)


def base_tier(ladder: tuple[Rendition, ...]) -> tuple[Rendition, ...]:
    """What runs below `popular_viewers`: the best rung and the lowest. These never stop."""
    return ladder if len(ladder) <= 2 else (ladder[0], ladder[-1])


def _bitrate_for(short: int) -> int:
    return next((bitrate for size, bitrate, _ in _RUNGS if short >= size), _LOWEST[1])


def _rung(
    width: int, height: int, short: int, fps: int, bitrate: int, preset: str, *, passthrough: bool = False
) -> Rendition:
    scale = short / min(width, height)
    bitrate = bitrate * 14 // 10 if fps > 30 else bitrate
    return Rendition(
        "source" if passthrough else f"{short}p{fps}",
        max(2, round(width * scale / 2) * 2),
        max(2, round(height * scale / 2) * 2),
        fps,
        bitrate,
        bitrate * 11 // 10,
        bitrate,  # one second: an IDR every 2 s has to fit
        preset,
        passthrough,
    )
