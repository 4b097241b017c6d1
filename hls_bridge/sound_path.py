"""Sound from Opus packets to AAC parts: decoded once, put on the time line, cut where pictures are."""

from __future__ import annotations

import logging
from collections.abc import Callable

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler

from hls_bridge.encoder import SOUND_TIME_BASE, SoundEncoder
from hls_bridge.packager import Sample, TrackPackager
from hls_bridge.part import Event, PartGroup, TrackSpec
from hls_bridge.rendition import SOUND
from hls_bridge.resample import Pcm
from hls_bridge.sound_timeline import SAMPLE_RATE, SoundTimeline
from sfu.depacketize import AccessUnit

__all__ = ["OpusDecoder", "SoundPath"]

log = logging.getLogger(__name__)

PATIENCE_US = 200_000
"""Sound this late is no longer waited for: silence takes its place."""
FRAME_US = -(-SoundEncoder.FRAME * 1_000_000 // SAMPLE_RATE)
LONGEST_GAP = SAMPLE_RATE
"""Gaps up to a second (DTX, losses) are filled within the source's own clock."""


class OpusDecoder:
    """Access units to float32 stereo; gaps in RTP time come out as silence."""

    def __init__(self) -> None:
        self._context = av.CodecContext.create("libopus", "r")
        self._context.thread_count = 1
        self._to_stereo = AudioResampler(format="fltp", layout="stereo", rate=SAMPLE_RATE)
        self._expected: int | None = None

    def decode(self, unit: AccessUnit) -> tuple[Pcm, int]:
        """Samples of shape (n, 2), and by how many of them they begin before the unit's own time."""
        try:
            frames = [
                out
                for frame in self._context.decode(av.Packet(unit.data))
                if isinstance(frame, AudioFrame)
                for out in self._to_stereo.resample(_untimed(frame))
            ]
        except av.FFmpegError:
            frames = []  # broken: as if it had been lost
        blocks = [frame.to_ndarray().T for frame in frames]
        gap = 0
        if self._expected is not None and 0 < unit.rtp_time - self._expected <= LONGEST_GAP:
            gap = unit.rtp_time - self._expected
        pcm = np.concatenate([np.zeros((gap, 2), np.float32), *blocks]).astype(np.float32, copy=False)
        self._expected = unit.rtp_time + len(pcm) - gap
        return pcm, gap


def _untimed(frame: AudioFrame) -> AudioFrame:
    frame.pts = None
    return frame


class SoundPath:
    """One for the life of the bridge; `restart` begins a new epoch."""

    def __init__(self, emit: Callable[[Event], None]) -> None:
        self._emit = emit
        self._timeline: SoundTimeline | None = None
        self._first_sample = 0
        self._pending = np.zeros((0, 2), np.float32)
        self._encoder: SoundEncoder | None = None
        self._packager: TrackPackager | None = None
        self._cuts_us: list[int] = []
        self._known_until_us: int | None = None
        self._held: list[Sample] = []
        self._encoded: list[tuple[int, Pcm]] = []
        """Sound that is encoded but in no part yet, with its place in samples."""
        self._position = self._packaged = 0

    def restart(self, start_us: int) -> TrackSpec:
        """A new encoder and init segment. The first epoch begins at ``start_us``; later ones where the
        sound stands, which is near it."""
        if self._timeline is None:
            self._first_sample = start_us * SAMPLE_RATE // 1_000_000
            self._timeline = SoundTimeline(start_us)
        position = self._first_sample + self._timeline.samples_out - len(self._pending)
        self._encoder = SoundEncoder(SOUND, position)
        self._packager = TrackPackager(SOUND.name, self._encoder.template, SOUND_TIME_BASE)
        self._cuts_us, self._held, self._encoded = [], [], []
        self._position = self._packaged = position
        self._known_until_us = None
        bitrate = SOUND.bitrate_bps * 11 // 10
        return TrackSpec(
            SOUND.name, "audio", SOUND.codec, bitrate, self._encoder.init, channels=SOUND.channels
        )

    def cut_at(self, at_us: int) -> None:
        """A segment ends at ``at_us``; call in rising order."""
        self._cuts_us.append(at_us)

    def know_until(self, at_us: int) -> None:
        """All cuts before ``at_us`` have been told."""
        self._known_until_us = at_us
        self._package()

    def push(self, pcm: Pcm, at_us: int) -> None:
        """Decoded sound whose first sample belongs at ``at_us``."""
        if self._timeline is not None:
            for block in self._timeline.push(pcm, at_us):
                self._encode(block)

    def tick(self, now_us: int) -> None:
        """Time passes: silence where no sound came."""
        self.fill(now_us - PATIENCE_US)

    def fill(self, until_us: int) -> None:
        """Silence up to ``until_us``, if sound is not that far yet."""
        if self._timeline is not None and (block := self._timeline.fill(until_us)) is not None:
            self._encode(block)

    def end(self, until_us: int | None = None) -> None:
        """The epoch ends: what is packaged so far becomes its last part. Sound from ``until_us`` on (None:
        no sound) is encoded again in the next one."""
        if self._packager is None:
            return
        self.know_until(1 << 62 if until_us is None else until_us)
        if self._packager.promised is not None:
            if not self._held and self._timeline is not None:
                self.fill(self._timeline.position_us + FRAME_US)
            if self._held:
                self._package_next()
        if until_us is not None:
            left = [pcm for at, pcm in self._encoded if at >= self._packaged]
            self._pending = np.concatenate([*left, self._pending])
        self._encoded = []
        for part in self._packager.end(SoundEncoder.FRAME):
            self._emit(PartGroup((part,)))
        self._packager = self._encoder = None

    def _encode(self, block: Pcm) -> None:
        size = SoundEncoder.FRAME
        pcm = np.concatenate([self._pending, block])
        whole = len(pcm) - len(pcm) % size
        self._pending = pcm[whole:]
        if self._encoder is None:
            return
        for at in range(0, whole, size):
            planes = np.ascontiguousarray(np.clip(pcm[at : at + size].T, -1.0, 1.0))
            frame = AudioFrame.from_ndarray(planes, format="fltp", layout="stereo")
            self._encoded.append((self._position, pcm[at : at + size]))
            self._position += size
            for packet in self._encoder.encode(frame):
                self._held.append(Sample(packet, packet.pts or 0, True, False, size))
        self._package()

    def _package(self) -> None:
        if self._packager is None or self._known_until_us is None:
            return
        while self._held:
            next_us = (self._held[0].pts + SoundEncoder.FRAME) * 1_000_000 // SAMPLE_RATE
            if next_us >= self._known_until_us:
                return
            self._package_next()

    def _package_next(self) -> None:
        assert self._packager is not None
        sample = self._held.pop(0)
        next_us = (sample.pts + SoundEncoder.FRAME) * 1_000_000 // SAMPLE_RATE
        if self._cuts_us and next_us >= self._cuts_us[0]:
            sample.ends_segment = True
            self._cuts_us.pop(0)
        self._packaged = sample.pts + SoundEncoder.FRAME
        while self._encoded and self._encoded[0][0] < self._packaged:
            self._encoded.pop(0)
        for part in self._packager.push(sample):
            self._emit(PartGroup((part,)))
