"""`video.mp4`: every epoch of a recording in one file."""

from __future__ import annotations

import io
import re
import struct
from fractions import Fraction
from itertools import pairwise

import av
import pytest

from hls_bridge.encoder import VIDEO_TIME_BASE, SoundEncoder, VideoEncoder
from hls_bridge.fragmented_mp4 import patch_segment
from hls_bridge.packager import Sample, TrackPackager
from hls_bridge.recording import Recording
from hls_bridge.recording_file import plan_file
from hls_bridge.rendition import SOUND, Rendition

SECOND_US = 1_000_000
FPS = 30


class Store:
    """A recording's records, and its files by name."""

    def __init__(self) -> None:
        self.recording = Recording("session")
        self.files: dict[str, bytes] = {}
        self._msn = {"best": 0, "sound": 0}

    async def read(self, key: str) -> bytes | None:
        return self.files.get(key)

    def add_video(self, epoch: int, start_us: int, seconds: int, width: int, height: int) -> None:
        """Segments of one second."""
        rendition = Rendition("best", width, height, FPS, 500_000, 500_000, 500_000, "superfast")
        encoder = VideoEncoder(rendition, "libx264")
        track = TrackPackager("best", encoder.template, VIDEO_TIME_BASE)
        tick = 90_000 // FPS
        parts = []
        for index in range(FPS * seconds):
            frame = av.VideoFrame(width, height, "yuv420p")
            for plane, value in zip(frame.planes, (40 * epoch, 128, 128), strict=True):
                plane.update(bytes([value]) * plane.buffer_size)
            begins, ends = index % FPS == 0, index % FPS == FPS - 1
            for packet in encoder.encode(frame, start_us * 9 // 100 + index * tick, idr=begins):
                parts += track.push(Sample(packet, packet.pts or 0, packet.is_keyframe, begins, tick, ends))
        segments = [b"".join(p.data for p in parts if p.segment == at) for at in range(seconds)]
        self._add("best", epoch, start_us, encoder.init, segments, "video", encoder.codec, width, height)

    def add_sound(self, epoch: int, start_us: int, seconds: int) -> None:
        encoder = SoundEncoder(SOUND, start_us * 48 // 1000 + 1024)  # the first block is dated one back
        track = TrackPackager("sound", encoder.template, Fraction(1, 48_000))
        parts = []
        for index in range(48_000 * seconds // 1024):
            frame = av.AudioFrame(format="fltp", layout="stereo", samples=1024)
            for plane in frame.planes:
                plane.update(bytes(plane.buffer_size))
            for packet in encoder.encode(frame):
                begins = index == 0
                parts += track.push(Sample(packet, packet.pts or 0, True, begins, 1024, False))
        parts += track.end(1024)
        self._add(
            "sound", epoch, start_us, encoder.init, [b"".join(p.data for p in parts)], "audio", SOUND.codec
        )

    def _add(
        self, role: str, epoch: int, start_us: int, init: bytes, segments: list[bytes], kind: str, codec: str,
        width: int = 0, height: int = 0,
    ) -> None:  # fmt: skip
        shape = {"width": width, "height": height, "fps": FPS, "channels": 2, "bitrate_bps": 500_000}
        self.recording.apply(
            {
                "type": "track",
                "epoch": epoch,
                "track": role,
                "role": role,
                "kind": kind,
                "codec": codec,
                **shape,
            }
        )
        self.files[f"{role}/init-{epoch}.mp4"] = init
        for index, data in enumerate(segments):
            msn = self._msn[role]
            self._msn[role] += 1
            at = start_us + index * SECOND_US
            times = {"wall_us": at, "start_us": at, "duration_us": SECOND_US}
            self.recording.apply(
                {"type": "segment", "track": role, "msn": msn, "epoch": epoch, "bytes": len(data), **times}
            )
            self.files[f"{role}/{msn}.m4s"] = data

    async def file(self, first: int = 0, last: int | None = None) -> bytes:
        plan = await plan_file(self.recording, self.read)
        last = plan.size - 1 if last is None else last
        return b"".join([piece async for piece in plan.stream(first, last, self.read)])


async def test_every_epoch_is_in_the_file() -> None:
    store = Store()
    store.add_video(1, 5 * SECOND_US, 2, 320, 180)
    store.add_sound(1, 5 * SECOND_US, 2)
    store.add_video(2, 8 * SECOND_US, 4, 640, 360)
    store.add_sound(2, 8 * SECOND_US, 4)
    store.add_video(3, 12 * SECOND_US, 1, 320, 180)
    data = await store.file()
    stsd = data.index(b"stsd")
    assert int.from_bytes(data[stsd + 8 : stsd + 12], "big") == 2, "of video, the longest-lasting first"
    assert descriptions(data, 1) == 2 * [2] * 3 + 4 * [1] * 3 + [2] * 3
    assert descriptions(data, 2) == [1] * len(descriptions(data, 2))
    with av.open(io.BytesIO(data), "r") as container:
        video, sound = container.streams.video[0], container.streams.audio[0]
        pictures: list[tuple[float, int, int]] = []
        sounds: list[float] = []
        for frame in container.decode(video, sound):
            assert isinstance(frame, av.VideoFrame | av.AudioFrame)
            assert frame.time is not None
            if isinstance(frame, av.VideoFrame):
                grey = bytes(frame.planes[0])[0]
                pictures.append((round(frame.time, 3), frame.width, round(grey / 40)))
            else:
                sounds.append(frame.time)
    shown = [(at, width, epoch) for begins, width, epoch, n in EPOCHS for at in at_30(begins, n)]
    assert pictures == shown
    assert len(sounds) == 92 + 186, "each encoder keeps its last block"
    assert [round(b - a, 2) for a, b in pairwise(sounds) if b - a > 0.03] == [1.06]


def descriptions(data: bytes, track_id: int) -> list[int]:
    """The sample_description_index of each fragment of a track (tfhd: flags, track, index)."""
    found = [struct.unpack_from(">III", data, at.end()) for at in re.finditer(b"tfhd", data)]
    return [index for _, track, index in found if track == track_id]


EPOCHS = [(0, 320, 1, 60), (3, 640, 2, 120), (7, 320, 3, 30)]
"""(second, width, epoch, pictures)"""


def at_30(begins: int, count: int) -> list[float]:
    return [round(begins + index / FPS, 3) for index in range(count)]


async def test_any_range_of_the_file() -> None:
    store = Store()
    store.add_video(1, 0, 1, 320, 180)
    store.add_video(2, SECOND_US, 1, 640, 360)
    data = await store.file()
    for first, last in [(0, 0), (100, len(data) // 2), (len(data) // 2, len(data) - 1), (0, len(data) - 1)]:
        assert await store.file(first, last) == data[first : last + 1]


async def test_an_epoch_without_its_init_segment_is_left_out() -> None:
    store = Store()
    store.add_video(1, 0, 1, 320, 180)
    store.add_video(2, SECOND_US, 1, 640, 360)
    del store.files["best/init-1.mp4"]
    with av.open(io.BytesIO(await store.file()), "r") as container:
        assert len(list(container.decode(video=0))) == FPS
    del store.files["best/init-2.mp4"]
    with pytest.raises(LookupError, match="no picture"):
        await store.file()


def test_a_fragment_that_names_no_description_is_refused() -> None:
    tfhd = bytes.fromhex("000000107466686400020000") + bytes([0, 0, 0, 1])
    traf = (8 + len(tfhd)).to_bytes(4, "big") + b"traf" + tfhd
    moof = (8 + len(traf)).to_bytes(4, "big") + b"moof" + traf
    with pytest.raises(ValueError, match="sample_description_index"):
        patch_segment(moof, 1, 1, 0)
