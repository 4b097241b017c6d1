"""A part that stands in for one that a killed worker had announced."""

from __future__ import annotations

import io
from fractions import Fraction

import av
import numpy as np
import pytest

from hls_bridge.encoder import VIDEO_TIME_BASE, SoundEncoder, VideoEncoder
from hls_bridge.live import Live
from hls_bridge.packager import Sample, TrackPackager
from hls_bridge.part import EpochStart, Part, PartGroup, TrackSpec
from hls_bridge.rendition import SOUND, choose_ladder
from hls_bridge.stand_in import stand_in
from hls_bridge.track import ClosedSegment
from tests.generated import draw

TICK = 3000


def video(count: int = 25) -> tuple[bytes, list[Part]]:
    """Parts of ten pictures, segments of twenty."""
    encoder = VideoEncoder(choose_ladder(320, 180, 30)[0], "libx264")
    track = TrackPackager("180p30", encoder.template, VIDEO_TIME_BASE)
    parts = []
    for index in range(count):
        begins, ends = index % 20 == 0, index % 20 == 19
        for packet in encoder.encode(draw(index, 320, 180), 900_000 + index * TICK, idr=begins):
            sample = Sample(packet, packet.pts or 0, packet.is_keyframe, begins, TICK, ends)
            parts += track.push(sample)
    return encoder.init, parts


def sound() -> tuple[bytes, list[Part]]:
    encoder = SoundEncoder(SOUND, 480_000)
    track = TrackPackager("sound", encoder.template, Fraction(1, 48_000))
    parts = []
    for _ in range(40):
        frame = av.AudioFrame(format="fltp", layout="stereo", samples=1024)
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        for packet in encoder.encode(frame):
            parts += track.push(Sample(packet, packet.pts or 0, True, False, 1024))
    return encoder.init, parts


def test_the_first_picture_of_a_segment_stands_behind_its_last_part() -> None:
    init, parts = video()
    again = stand_in(parts[0].data, parts[1].data)
    assert (again.start, again.duration) == (900_000 + 20 * TICK, TICK)
    whole = init + parts[0].data + parts[1].data + again.data
    with av.open(io.BytesIO(whole)) as container:
        frames = [(f.pts, f.to_ndarray()) for f in container.decode(video=0)]
    assert [pts for pts, _ in frames] == [900_000 + index * TICK for index in range(21)]
    assert np.array_equal(frames[20][1], frames[0][1])
    with av.open(io.BytesIO(init + again.data)) as container:
        assert [f.key_frame for f in container.decode(video=0)] == [True]


def test_a_block_of_sound_stands_behind_the_last_one() -> None:
    init, parts = sound()
    again = stand_in(parts[1].data, parts[1].data)
    assert again.start == 480_000 - 1024 + 32 * 1024
    assert again.duration == 1024
    with av.open(io.BytesIO(init + parts[1].data + again.data)) as container:
        packets = [packet for packet in container.demux(audio=0) if packet.size]
    assert packets[16].pts == again.start
    assert bytes(packets[16]) == bytes(packets[0])


def test_what_is_no_part_is_refused() -> None:
    _, parts = video()
    whole = parts[0].data
    for length in range(0, 200, 3):
        with pytest.raises(ValueError, match=r"box|cut off|outside"):
            stand_in(whole[:length], whole)
    with pytest.raises(ValueError, match="begin with its moof"):
        stand_in(whole, b"\0\0\0\x08free" + whole)


@pytest.mark.parametrize(("made", "hint"), [(1, (0, 1)), (2, (1, 0)), (3, (1, 1))])
def test_a_killed_worker_keeps_what_it_announced(made: int, hint: tuple[int, int]) -> None:
    """In the middle of a segment and between two; what players had waited for is in the next playlists."""
    video_init, pictures = video(30)
    sound_init, blocks = sound()
    tracks = (
        TrackSpec("180p30", "video", "avc1.64000D", 700_000, video_init, 320, 180, 30),
        TrackSpec("sound", "audio", "mp4a.40.2", 140_000, sound_init, channels=2),
    )
    closed: list[ClosedSegment] = []
    live = Live(0, 0, on_closed=closed.append)
    live.handle_event(EpochStart(tracks, 10_000_000), 10_000_000, 0)
    for part in (*pictures[:made], blocks[0]):
        live.handle_event(PartGroup((part,)), part.start_us, 0)
    assert live.tracks["180p30"].hint == ("180p30", *hint)
    assert live.part("180p30", *hint) is None
    changed = live.handle_event(EpochStart(tracks, 15_000_000), 15_000_000, 0)
    assert changed == {"180p30", "sound"}
    for name, (msn, index) in (("180p30", hint), ("sound", (0, 1))):
        track = live.tracks[name]
        assert live.part(name, msn, index) is not None
        assert track.full is not None
        text = track.full.plain.decode()
        assert f'URI="{name}/{msn}.{index}.m4s",INDEPENDENT=YES' in text
        # What players are to wait for now is of the next epoch, in all renditions alike.
        assert track.hint == (name, hint[0] + 1, 0)
    last = [segment for segment in closed if segment.track == "180p30"][-1]
    assert last.listed.msn == hint[0]
    with av.open(io.BytesIO(video_init + last.data)) as container:
        frames = [frame.pts for frame in container.decode(video=0)]
    begins = 20 * hint[0]
    assert frames == [900_000 + TICK * at for at in range(begins, 10 * made + 1)]
    assert last.listed.duration_us == pytest.approx(len(frames) * 1e6 / 30, abs=2)
    gaps = [segment for segment in live.tracks["sound"].segments if segment.gap]
    assert [gap.msn for gap in gaps] == ([1] if hint[0] else [])
    assert all(gap.duration_us == last.listed.duration_us for gap in gaps)


def test_a_worker_that_is_killed_before_its_first_part_announced_what_the_next_one_makes() -> None:
    init, pictures = video()
    spec = TrackSpec("180p30", "video", "avc1.64000D", 700_000, init, 320, 180, 30)
    live = Live(0, 0)
    for start_us in (10_000_000, 12_000_000, 14_000_000):
        live.handle_event(EpochStart((spec,), start_us), start_us, 0)
    live.handle_event(PartGroup((pictures[0],)), 14_000_000, 0)
    assert [s.msn for s in live.tracks["180p30"].segments] == [0]
