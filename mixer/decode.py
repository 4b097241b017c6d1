"""Video decoding: one thread, no delay, and nothing larger than a mixer should be made to hold."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, cast

import av
from av.codec.context import Flags
from av.codec.hwaccel import HWAccel
from av.video.codeccontext import VideoCodecContext
from av.video.reformatter import Colorspace

from mixer.composite.picture import Picture, picture_of
from sfu.depacketize import AccessUnit
from sfu.media import Codec

__all__ = [
    "MAX_LONG",
    "MAX_SHORT",
    "Decoded",
    "DeviceDecoding",
    "PictureTooLarge",
    "UnsupportedVideo",
    "VideoDecoder",
    "limited_picture",
]

log = logging.getLogger(__name__)

MAX_LONG, MAX_SHORT = 4096, 2304
"""Largest picture taken, in pixels of the longer and the shorter side."""
HELD_FRAMES = 20
DEVICE_FAILURES = 3
# (on the CPU, on a device): FFmpeg's own decoders are those that know hardware.
_DECODERS = {
    "h264": ("h264", "h264"),
    "vp8": ("vp8", "vp8"),
    "vp9": ("libvpx-vp9", "vp9"),
    "av1": ("libdav1d", "av1"),
}
# After a loss the last whole picture is held for a keyframe this long; sources that make none on
# request would freeze for a whole group of pictures, so then damage is shown instead.
HOLD_US = 1_000_000
_JPEG_RANGE = 2


class UnsupportedVideo(ValueError):
    """There is no decoder for this codec."""


class PictureTooLarge(ValueError):
    """The source sends pictures above the limit; they are not decoded. ``width`` and ``height`` say which."""

    def __init__(self, width: int, height: int) -> None:
        super().__init__(
            f"pictures of {width} x {height} are above {MAX_LONG} x {MAX_SHORT}; send smaller ones"
        )
        self.width, self.height = width, height


@dataclass(frozen=True, slots=True)
class Decoded:
    """What came of some access units."""

    pictures: tuple[tuple[int, Picture], ...]
    """(RTP time, picture) of those worth showing."""
    wants_keyframe: bool
    errors: int


class DeviceDecoding(Protocol):
    """Decoding on a device, for a compositor that draws there."""

    def hwaccel(self) -> HWAccel:
        """Settings that leave decoded frames on the device; a new object each time."""
        ...

    def picture(self, frame: av.VideoFrame) -> Picture:
        """A decoded frame, on the device or (where the device could not decode it) in host memory."""
        ...


class VideoDecoder:
    """Decodes one source's access units, of one codec; keyframes may change the size."""

    def __init__(self, codec: Codec, device: DeviceDecoding | None = None) -> None:
        """Decodes on ``device`` if there is one that takes the codec, else on the CPU. Raises
        UnsupportedVideo."""
        names = _DECODERS.get(codec.name.lower())
        if names is None:
            raise UnsupportedVideo(f"the mixer can't decode {codec.name}")
        try:
            self._context = self._open(names, device)
        # No decoding unit, or none left; no support in this build of FFmpeg.
        except (av.error.FFmpegError, NotImplementedError) as error:
            if device is None:
                raise
            log.warning("%s is decoded on the CPU; the device refused: %s", codec.name, error)
            device = None
            self._context = self._open(names, None)
        self._picture = limited_picture if device is None else device.picture
        self._names = names
        self._device_failures = None if device is None else 0
        self._started = False
        self._broken_at_us: int | None = None

    def decode(self, units: Sequence[AccessUnit], now_us: int) -> Decoded:
        """Decode ``units`` in order.

        Raises PictureTooLarge when a keyframe announces too large a picture (the units of the call are
        dropped, and later ones until a keyframe of a size that can be taken).
        """
        pictures: list[tuple[int, Picture]] = []
        errors = 0
        for unit in units:
            if unit.keyframe:
                if unit.width and unit.height and _too_large(unit.width, unit.height):
                    self._started = False
                    raise PictureTooLarge(unit.width, unit.height)
                self._started, self._broken_at_us = True, None
            elif unit.lost_before and self._broken_at_us is None:
                self._broken_at_us = now_us
            if not self._started:
                continue
            try:
                frames = self._decode(unit)
            except av.error.FFmpegError:
                errors += 1
                self._failed_on_device()
                self._broken_at_us = now_us if self._broken_at_us is None else self._broken_at_us
                continue
            held = self._broken_at_us is not None and now_us - self._broken_at_us < HOLD_US
            if frames:
                self._device_failures = None
            for frame in frames:
                if frame.width < 2 or frame.height < 2 or _too_large(frame.width, frame.height):
                    continue
                # What FFmpeg made up for slices of noise says nothing, however long it is all that comes.
                if not held and not frame.is_corrupt:
                    pictures.append((unit.rtp_time if frame.pts is None else frame.pts, self._picture(frame)))
        return Decoded(tuple(pictures), not self._started or self._broken_at_us is not None, errors)

    def _failed_on_device(self) -> None:
        """A device that never gave a picture (no surfaces left, a profile it lacks) gives way to the CPU."""
        if self._device_failures is not None:
            self._device_failures += 1
            if self._device_failures >= DEVICE_FAILURES:
                self._context, self._picture = self._open(self._names, None), limited_picture
                self._device_failures, self._started = None, False

    def _decode(self, unit: AccessUnit) -> list[av.VideoFrame]:
        packet = av.Packet(unit.data)
        packet.pts = packet.dts = unit.rtp_time
        return self._context.decode(packet)

    def _open(self, names: tuple[str, str], device: DeviceDecoding | None) -> VideoCodecContext:
        if device is None:
            context = cast(VideoCodecContext, av.CodecContext.create(names[0], "r"))
        else:
            context = cast(VideoCodecContext, av.CodecContext.create(names[1], "r", device.hwaccel()))
        # Automatic slice threads of many inputs would fight for all cores.
        context.thread_count = 1
        context.flags |= Flags.low_delay
        # A second guard below the parsers': FFmpeg refuses before it allocates.
        context.options = {"max_pixels": str(MAX_LONG * MAX_SHORT)}
        if device is not None:
            # A surface for each picture that a queue may hold, beside the decoder's own references.
            context.options |= {"extra_hw_frames": str(HELD_FRAMES)}
        return context


def _too_large(width: int, height: int) -> bool:
    return max(width, height) > MAX_LONG or min(width, height) > MAX_SHORT


def limited_picture(frame: av.VideoFrame) -> Picture:
    """View a software frame. BT.709 (OBS) and full range (some screen recorders), which sources then say, are
    brought to BT.601 and limited range."""
    full = frame.color_range == _JPEG_RANGE or frame.format.name.startswith("yuvj")
    bt709 = frame.colorspace == Colorspace.ITU709
    if full or bt709:
        frame = frame.reformat(
            format="yuv420p",
            src_color_range="JPEG" if full else "MPEG",
            dst_color_range="MPEG",
            src_colorspace=Colorspace.ITU709 if bt709 else Colorspace.ITU601,
            dst_colorspace=Colorspace.ITU601,
            threads=1,
        )
    return picture_of(frame)
