"""The program's picture: a steady clock, one composition a tick, two encodings of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor

from mixer.composite import Compositor, Picture
from mixer.encode import KEYFRAME_S, VIDEO_RATE, EncodedPicture, VideoEncoder
from mixer.messages import MixerConfig
from mixer.stage import Stage
from mixer.timing import Timing
from sfu.media import RtpPacket
from sfu.packetize import H264Packetizer

__all__ = ["FULL", "HALF", "PictureOutput", "SteadyClock", "run_pictures"]

FULL, HALF = "h", "l"
# Each request costs a large frame to everybody; one in half a second repairs soon enough.
KEYFRAME_SPACING_US = 500_000


class SteadyClock:
    """Ticks of a frame rate, numbered from the start; RTP times are exact multiples."""

    def __init__(self, start_us: int, fps: int) -> None:
        self._start_us = start_us
        self._fps = fps
        self._next = 0
        self.skipped = 0
        """Ticks left out because the reader came too late."""

    def due_us(self) -> int:
        """When the next tick is due."""
        return self._start_us + self._next * 1_000_000 // self._fps

    def take(self, now_us: int) -> tuple[int, int]:
        """The tick to make now: (its time, its RTP time). Skips those that are over already."""
        late = max((now_us - self.due_us()) * self._fps // 1_000_000, 0)
        # One late tick is caught up with; more would only pile up delay.
        if late > 1:
            self._next += late
            self.skipped += late
        tick = self.due_us(), self._next * VIDEO_RATE // self._fps
        self._next += 1
        return tick

    def rtp_at(self, now_us: int) -> int:
        """RTP time of what is presented at ``now_us``, for sender reports."""
        return (now_us - self._start_us) * VIDEO_RATE // 1_000_000


class _Encoding:
    def __init__(self, encoder: VideoEncoder) -> None:
        self.encoder = encoder
        self.packetizer = H264Packetizer()
        self.keyframe_wanted = False
        self._last_forced_us: int | None = None
        self._slot: int | None = None

    def take_request(self, rtp_time: int, now_us: int) -> bool:
        """True if the picture of ``rtp_time`` is to be a keyframe: every two seconds, and when asked for.

        All encodings share the schedule, so that a viewer can change between them at any of these.
        """
        slot = rtp_time // (KEYFRAME_S * VIDEO_RATE)
        if slot != self._slot:
            self._slot, self.keyframe_wanted, self._last_forced_us = slot, False, now_us
            return True
        recent = self._last_forced_us is not None and now_us - self._last_forced_us < KEYFRAME_SPACING_US
        if not self.keyframe_wanted or recent:
            return False
        self.keyframe_wanted, self._last_forced_us = False, now_us
        return True

    def packets(self, pictures: list[EncodedPicture]) -> list[RtpPacket]:
        return [p for picture in pictures for p in self.packetizer.packetize(picture.data, picture.rtp_time)]


class PictureOutput:
    """Stage to RTP packets of both encodings. ``compose`` and ``encode`` may run on any one thread."""

    def __init__(self, config: MixerConfig, stage: Stage, compositor: Compositor) -> None:
        """Raises NoVideoEncoder."""
        self._stage = stage
        self._compositor = compositor
        self._encodings: dict[str, _Encoding] = {}
        for rid, share in ((FULL, 1), (HALF, 4)):
            # 1080 halves to 540; H.264 in 4:2:0 needs even sizes, which the configuration ensures.
            size = (config.width // 2, config.height // 2) if rid == HALF else (config.width, config.height)
            encoder = VideoEncoder(
                size,
                config.fps,
                config.bitrate_bps // share,
                ceiling_bps=config.max_bitrate_bps // share,
                names=config.encoders,
                preset=config.preset,
            )
            self._encodings[rid] = _Encoding(encoder)

    @property
    def timing(self) -> Timing:
        return self._stage.timing

    @property
    def encoder_name(self) -> str:
        return self._encodings[FULL].encoder.name

    def request_keyframe(self, rid: str) -> None:
        """Make the next picture of ``rid`` (of all, if unknown) an IDR; coalesced."""
        for name, encoding in self._encodings.items():
            if rid == name or rid not in self._encodings:
                encoding.keyframe_wanted = True

    def compose(self, now_us: int) -> dict[str, Picture]:
        """The pictures of both sizes for the moment ``now_us``."""
        (full,) = self._compositor.compose([self._stage.scene(now_us)])
        return {FULL: full, HALF: self._compositor.halve(full)}

    def encode(self, rid: str, picture: Picture, rtp_time: int, now_us: int) -> list[RtpPacket]:
        """Encode and packetise one picture."""
        encoding = self._encodings[rid]
        frame = self._compositor.frame(picture)
        keyframe = encoding.take_request(rtp_time, now_us)
        return encoding.packets(encoding.encoder.encode(frame, rtp_time, keyframe=keyframe))


async def run_pictures(
    output: PictureOutput,
    clock: SteadyClock,
    now: Callable[[], int],
    pool: Executor,
    send: Callable[[str, list[RtpPacket]], None],
) -> None:
    """Compose and encode at every tick, for ever; ``pool`` has at least two threads."""
    timing = output.timing
    loop = asyncio.get_running_loop()

    async def encode(rid: str, picture: Picture, rtp_time: int, at_us: int) -> None:
        send(rid, await loop.run_in_executor(pool, output.encode, rid, picture, rtp_time, at_us))

    while True:
        wait_us = clock.due_us() - now()
        await asyncio.sleep(max(wait_us, 0) / 1e6)
        began_us = now()
        at_us, rtp_time = clock.take(began_us)
        timing.add("tick", began_us - at_us)
        pictures = await loop.run_in_executor(pool, output.compose, at_us)
        composed_us = now()
        timing.add("composite", composed_us - began_us)
        await asyncio.gather(*(encode(rid, picture, rtp_time, at_us) for rid, picture in pictures.items()))
        timing.add("encode", now() - composed_us)
