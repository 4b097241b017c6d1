"""Every playlist of ten minutes, with a discontinuity, rung changes and a DVR window, read by hls-parser."""

from __future__ import annotations

from pathlib import Path

from hls_bridge.live import Live
from hls_bridge.part import EpochStart, Part, PartGroup, TrackSpec, TrackStart, TrackStop
from hls_bridge.recording import Recording
from hls_bridge.track import ClosedSegment
from tests.interop.playlist_history import strict_errors

V = TrackSpec("720p30", "video", "avc1.64001F", 2_750_000, b"", 1280, 720, 30)
M = TrackSpec("480p30", "video", "avc1.64001F", 1_500_000, b"", 854, 480, 30)
L = TrackSpec("360p30", "video", "avc1.64001E", 770_000, b"", 640, 360, 30)
A = TrackSpec("sound", "audio", "mp4a.40.2", 140_000, b"", channels=2)
WALL = 1_800_000_000_000_000


def test_ten_minutes(tmp_path: Path) -> None:
    recording = Recording("rec")
    recording.apply({"type": "begin", "stream_id": "s", "wall_us": WALL})
    epoch_of_roles = {"720p30": "best", "360p30": "small", "sound": "sound"}

    def closed(segment: ClosedSegment) -> None:
        recording.apply(
            {
                "type": "segment",
                "track": segment.track,
                "msn": segment.listed.msn,
                "epoch": segment.epoch,
                "wall_us": segment.listed.wall_us,
                "start_us": segment.start_us,
                "duration_us": segment.listed.duration_us,
                "bytes": len(segment.data),
            }
        )

    live = Live(0, WALL, on_closed=closed)
    paths: list[Path] = []

    def save(name: str, data: bytes | str) -> None:
        path = tmp_path / f"{len(paths)}-{name}.m3u8"
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        paths.append(path)

    now = base = 0

    def epoch() -> None:
        live.handle_event(EpochStart((V, L, A), now), now, WALL + now)
        for spec in (V, L, A):
            recording.apply(
                {
                    "type": "track",
                    "role": epoch_of_roles[spec.name],
                    "epoch": live.epoch,
                    "track": spec.name,
                    "kind": spec.kind,
                    "codec": spec.codec,
                    "bitrate_bps": spec.bitrate_bps,
                    "width": spec.width,
                    "height": spec.height,
                    "fps": spec.fps,
                    "channels": spec.channels,
                }
            )

    epoch()
    tracks = [V, L, A]
    for number in range(300):
        if number == 150:  # the worker dies in the middle of a segment
            for track in tracks:
                live.handle_event(
                    PartGroup((Part(track.name, 150, 0, now, 333_333, True, False, b"x"),)), now, WALL + now
                )
            now += 2_500_000
            base, tracks = number, [V, L, A]
            epoch()
        segment = number - base
        if number in (50, 200):
            live.handle_event(TrackStart(M, segment), now, WALL + now)
            tracks.append(M)
        if number == 100:
            live.handle_event(TrackStop("480p30"), now, WALL + now)
            tracks.remove(M)
        for index in range(6):
            for track in tracks:
                start = now + index * 333_333
                part = Part(track.name, segment, index, start, 333_333, index == 0, index == 5, b"data")
                live.handle_event(PartGroup((part,)), start, WALL + start)
            if index in (1, 5):
                for name, track in live.tracks.items():
                    assert track.full is not None
                    save(f"{name}-full", track.full.plain)
        now += 2_000_000
        save("master", live.master("x/"))
        rendered = recording.playlist("best", window_us=60_000_000, ended=False)
        assert rendered is not None
        save("dvr", rendered[0].plain)
    live.end()
    for name, track in live.tracks.items():
        assert track.full is not None
        save(f"{name}-end", track.full.plain)
    recording.apply({"type": "lost", "track": "720p30", "msn": 20})
    replay = recording.playlist("best", window_us=None, ended=True)
    assert replay is not None
    assert replay[0].plain.count(b"#EXT-X-GAP") == 1
    save("replay", replay[0].plain)
    master = recording.master("x/")
    assert master is not None
    save("replay-master", master)

    assert len(paths) > 2000
    assert {(path.name.split("-", 1)[1], error) for path, error in strict_errors(paths)} == set()
    for path in paths:
        text = path.read_text()
        if "PART-INF" in text:
            target = float(text.split("PART-TARGET=")[1].split("\n")[0])
            assert float(text.split("PART-HOLD-BACK=")[1].split(",")[0]) >= 3 * target
            assert all(float(d.split(",")[0]) <= target for d in text.split("EXT-X-PART:DURATION=")[1:])
