"""The pipeline of one program: RTP batches of its two tracks in, HLS events out.

Sound and picture may come late, stop, change codec, size or publisher; the playlists go on. What players
can't follow (another aspect ratio, another init segment of the top rung) begins a new epoch in all tracks.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Literal

import av
from av.codec.context import Flags
from av.video.frame import VideoFrame

from hls_bridge.alignment import Alignment
from hls_bridge.attention import Attention
from hls_bridge.encoder import PassthroughTrack
from hls_bridge.epoch import Epoch
from hls_bridge.gop_watch import GopWatch
from hls_bridge.part import Event
from hls_bridge.rendition import choose_fps
from hls_bridge.sound_path import OpusDecoder, SoundPath
from hls_bridge.thumbnail import Thumbnailer
from sfu.depacketize import AccessUnit, Depacketizer, UnsupportedCodec, depacketizer
from sfu.media import Codec, Kind, TapBatch

__all__ = ["Program", "ProgramSettings"]

log = logging.getLogger(__name__)

SOUND_PATIENCE_US = 1_000_000
"""How long the first epoch waits for sound: a WebRTC publisher's tracks start within 0.3 s."""
TRACK_PATIENCE_US = 3_000_000
"""How long it waits for packets of a picture: a black one costs a discontinuity, and a worker that
starts anew on a busy machine may hear for a second before it sees."""
PICTURE_PATIENCE_US = 5_000_000
"""How long it waits for the first picture of a track whose packets come: two GOPs of 2 s, and a decoder that
starts while the machine is busy."""
RATE_UNITS = 8
"""Frames from which the frame rate is taken."""
DECODERS = {"h264": "h264", "vp8": "vp8", "vp9": "vp9", "av1": "libdav1d"}


@dataclass(frozen=True, slots=True)
class ProgramSettings:
    """What may differ from stream to stream."""

    passthrough: bool = True
    all_rungs: bool = False
    codec_name: str | None = None
    """H.264 encoder; None: the best that works here."""
    realtime: bool = True


class Program:
    """One thread drives it: `push` and `tick`. ``emit`` is called from that and from the rungs' threads."""

    def __init__(self, emit: Callable[[Event], None], settings: ProgramSettings) -> None:
        self._emit = emit
        self._settings = settings
        self._attention = Attention()
        self._alignment = Alignment()
        self._sources: dict[Kind, tuple[int, str, Codec]] = {}
        self._machines: dict[Kind, Depacketizer | None] = {}
        self._newest_rtp: dict[Kind, int] = {}
        self._first_us: int | None = None
        self._opus = OpusDecoder()
        self._sound = SoundPath(emit)
        self._thumbnailer = Thumbnailer(emit)
        self._decoder: av.VideoCodecContext | None = None
        self._waiting_for_key = True
        self._wants_keyframe = False
        self._gop = GopWatch()
        self._rtp_times: list[int] = []
        self._epoch: Epoch | None = None
        self._wanted: frozenset[str] | None = None
        self._frame: VideoFrame | None = None
        self._frames = 0

    def take_keyframe_request(self) -> bool:
        """Whether a keyframe should be asked for; asking resets it. Not while one may lie among what came
        and wasn't read yet."""
        if not self._wants_keyframe or self._attention.behind:
            return False
        self._wants_keyframe = False
        return True

    def want(self, names: Collection[str]) -> None:
        """Rungs that shall run from the next segment on."""
        self._wanted = frozenset(names)
        if self._epoch is not None:
            self._epoch.ladder.want(self._wanted)

    def push(self, kind: Kind, batch: TapBatch, now_us: int) -> None:
        """A batch of one track."""
        self._attention.note(now_us)
        source = (batch.generation, batch.rid, batch.codec)
        if self._sources.get(kind) != source:
            self._begin_source(kind, batch.codec)
            self._sources[kind] = source
        machine = self._machines[kind]
        if machine is None:
            return
        if batch.packets and self._first_us is None:
            self._first_us = now_us
        units = machine.push(batch.packets, self._attention.patience_us)
        if units:
            self._newest_rtp[kind] = units[-1].rtp_time
        if batch.report is not None and kind in self._newest_rtp:
            self._alignment.handle_report(kind, batch.report, self._newest_rtp[kind])
        self._units(kind, units)

    def tick(self, now_us: int, *, all_read: bool = True) -> None:
        """Time passes; call at least every 20 ms. ``all_read``: no tap has a batch that wasn't pushed.

        What sources have left out is judged as of the moment until which all that arrived has been read.
        """
        self._attention.tick(now_us, all_read=all_read)
        patience_us, heard_us = self._attention.patience_us, self._attention.heard_us
        for kind, machine in self._machines.items():
            if machine is not None and (deadline := machine.next_deadline_us) and deadline <= patience_us:
                self._units(kind, machine.push((), patience_us))
        if self._epoch is None:
            waits_us = PICTURE_PATIENCE_US if self._machines.get("video") else TRACK_PATIENCE_US
            if self._first_us is not None and heard_us - self._first_us > waits_us:
                self._start_without_picture(heard_us)
            return
        if self._epoch.passthrough is not None and self._gop.overdue(heard_us - 500_000):
            self._end_passthrough()
        self._epoch.tick(heard_us, self._attention.awake_us)
        self._sound.tick(heard_us)

    def close(self) -> None:
        """End the epoch: what is open becomes the last parts."""
        if self._epoch is not None:
            self._epoch.end()
            self._epoch = None

    def _begin_source(self, kind: Kind, codec: Codec) -> None:
        self._alignment.restart(kind, codec.clock_rate)
        self._newest_rtp.pop(kind, None)
        try:
            self._machines[kind] = depacketizer(codec)
        except UnsupportedCodec as error:
            log.warning("%s is left out: %s", kind, error)
            self._machines[kind] = None
        if kind == "audio":
            self._opus = OpusDecoder()
            return
        self._decoder = None
        self._waiting_for_key = True
        self._gop.restart()
        self._rtp_times = []

    def _units(self, kind: Kind, units: list[AccessUnit]) -> None:
        for unit in units:
            at_us = self._alignment.place(kind, unit.rtp_time, unit.arrival_us)
            if kind == "audio":
                pcm, early = self._opus.decode(unit)
                self._sound.push(pcm, at_us - early * 1_000_000 // 48_000)
            else:
                self._picture_unit(unit, at_us)

    def _picture_unit(self, unit: AccessUnit, at_us: int) -> None:
        if unit.lost_before and not unit.keyframe:
            self._waiting_for_key = True
        if self._waiting_for_key and not unit.keyframe:
            self._wants_keyframe = True
            return
        self._waiting_for_key = self._wants_keyframe = False
        if self._epoch is not None and self._epoch.passthrough is not None and self._gop.overdue(at_us):
            self._end_passthrough()
        self._rtp_times = [*self._rtp_times[-RATE_UNITS:], unit.rtp_time]
        cut = self._gop.push(at_us, keyframe=unit.keyframe)
        codec_name = self._sources["video"][2].name.lower()
        if self._epoch is not None and cut and codec_name == "h264" and self._settings.passthrough:
            self._consider_passthrough(unit, at_us)
        if self._epoch is not None:
            self._epoch.push_unit(unit.data, at_us, keyframe=unit.keyframe, cut=cut)
        for frame in self._decode(codec_name, unit, at_us):
            self._picture(frame, frame.pts if frame.pts is not None else at_us)

    def _consider_passthrough(self, unit: AccessUnit, at_us: int) -> None:
        assert self._epoch is not None
        current = self._epoch.passthrough
        if not self._gop.regular:
            if current is not None:
                self._restart(at_us, None)
            return
        if current is not None and current.fits(unit.data):
            return
        try:
            track = PassthroughTrack(unit.data)
        except (ValueError, av.FFmpegError) as error:
            log.info("the source can't pass through: %s", error)
            return
        self._restart(at_us, track)

    def _end_passthrough(self) -> None:
        log.info("the source's next keyframe or picture is overdue: transcoding")
        assert self._epoch is not None
        # Not at the time at which it was noticed: sound goes on, and its segment must not grow longer.
        end_us = self._epoch.end(self._gop.limit_us)
        self._epoch = None
        self._restart(end_us, None)

    def _decode(self, codec_name: str, unit: AccessUnit, at_us: int) -> list[VideoFrame]:
        if self._decoder is None:
            decoder = av.CodecContext.create(DECODERS[codec_name], "r")
            assert isinstance(decoder, av.VideoCodecContext)
            decoder.thread_count = 1
            decoder.flags |= Flags.low_delay
            self._decoder = decoder
        packet = av.Packet(unit.data)
        packet.pts = packet.dts = at_us
        try:
            return [f for f in self._decoder.decode(packet) if isinstance(f, VideoFrame)]
        except av.FFmpegError:
            self._waiting_for_key = self._wants_keyframe = True
            return []

    def _picture(self, frame: VideoFrame, at_us: int) -> None:
        self._frame = frame
        self._frames += 1
        if self._epoch is None:
            sound_known = "audio" in self._newest_rtp
            heard_us = self._attention.heard_us
            waited = self._first_us is None or heard_us - self._first_us > SOUND_PATIENCE_US
            if len(self._rtp_times) <= RATE_UNITS or not (sound_known or waited):
                return
            self._restart(at_us, None)
        elif not self._epoch.shows(frame):
            log.info("the picture is now %dx%d: discontinuity", frame.width, frame.height)
            self._restart(at_us, None)
        assert self._epoch is not None
        self._epoch.push_picture(frame, at_us, self._frames)

    def _start_without_picture(self, at_us: int) -> None:
        if self._frame is None:
            black = VideoFrame(640, 360, "yuv420p")
            for plane, value in zip(black.planes, (16, 128, 128), strict=True):
                plane.update(bytes([value]) * plane.buffer_size)
            self._frame = black
        self._restart(at_us, None)
        assert self._epoch is not None
        self._epoch.push_picture(self._frame, at_us, self._frames)

    def _restart(self, at_us: int, passthrough: PassthroughTrack | None) -> None:
        after_us = at_us
        if self._epoch is not None:
            after_us = max(at_us, self._epoch.end())
        mode: Literal["constant", "source"] = "constant" if passthrough is None else "source"
        assert self._frame is not None
        self._epoch = Epoch(
            self._frame,
            self._fps(),
            after_us,
            mode,
            passthrough,
            self._sound,
            self._emit,
            wanted=self._wanted,
            all_rungs=self._settings.all_rungs,
            codec_name=self._settings.codec_name,
            on_lowest=self._thumbnailer.push,
            realtime=self._settings.realtime,
            source_number=self._frames,
        )

    def _fps(self) -> int:
        steps = sorted(b - a for a, b in zip(self._rtp_times, self._rtp_times[1:], strict=False) if b > a)
        if not steps:
            return 30
        return choose_fps(90_000 / steps[len(steps) // 2])
