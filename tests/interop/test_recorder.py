from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import av
import pytest

from hls_bridge.origin import Origin
from hls_bridge.part import EpochStart, Part, PartGroup, Thumbnail, TrackSpec
from hls_bridge.recorder import Recorder
from hls_bridge.segment_index import LogIndex
from hls_bridge.segment_store import DirectoryStore, StoreError
from tests.small_disk import disk_emptied, disk_full, fill_up, small_disk

V = TrackSpec("720p30", "video", "avc1.64001F", 2_750_000, b"init-v", 1280, 720, 30)
M = TrackSpec("480p30", "video", "avc1.64001F", 1_500_000, b"init-m", 854, 480, 30)
L = TrackSpec("360p30", "video", "avc1.64001E", 770_000, b"init-l", 640, 360, 30)
A = TrackSpec("sound", "audio", "mp4a.40.2", 140_000, b"init-a", channels=2)


def recorder_at(root: Path) -> Recorder:
    return Recorder(DirectoryStore(root / "segments"), LogIndex(root / "index"), root / "spool", retry_s=0.05)


def record(recorder: Recorder, segments: int, *, more_parts: int = 0, session: str = "rec1") -> Origin:
    origin = Origin(archive=recorder)
    origin.begin("stream", session)
    origin.handle_event("stream", EpochStart((V, M, L, A), 0))
    origin.handle_event("stream", Thumbnail(0, b"\xff\xd8jpeg"))
    go_on(origin, 0, segments, more_parts=more_parts)
    return origin


def go_on(origin: Origin, first: int, segments: int, *, more_parts: int = 0) -> None:
    for index in range(first * 6, (first + segments) * 6 + more_parts):
        segment, i = divmod(index, 6)
        for track in (V, M, L, A):
            data = b"%s-%d.%d;" % (track.name.encode(), segment, i)
            part = Part(track.name, segment, i, index * 333_333, 333_333, i == 0, i == 5, data)
            origin.handle_event("stream", PartGroup((part,)))


def wait_for(condition: Callable[[], bool]) -> None:
    for _ in range(400):
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError("it did not come")


def test_a_torn_line_costs_only_itself(tmp_path: Path) -> None:
    index = LogIndex(tmp_path)
    index.append("a", {"type": "begin"})
    with open(tmp_path / "a.jsonl", "ab") as file:
        file.write(b'{"type": "segm')
    again = LogIndex(tmp_path)
    assert again.load("a") == [{"type": "begin"}]
    again.append("a", {"type": "end"})
    assert again.load("a") == [{"type": "begin"}, {"type": "end"}]


async def test_a_recording_is_listed_and_read(tmp_path: Path) -> None:
    recorder = recorder_at(tmp_path)
    recorder.start(0)
    record(recorder, 10)
    assert recorder.flush()
    recording = recorder.recordings("stream")[0]
    assert recording.roles == ["best", "small", "sound"]
    assert recording.duration_us == 10 * 6 * 333_333
    assert await recorder.read("rec1", "720p30/3.m4s") == b"".join(b"720p30-3.%d;" % i for i in range(6))
    assert await recorder.read("rec1", "360p30/init-0.mp4") == b"init-l"
    assert await recorder.read("rec1", "480p30/3.m4s") is None
    assert await recorder.read("rec1", "../../etc/passwd") is None
    master = recorder.master("rec1", "x/")
    assert master is not None
    assert [line for line in master.splitlines() if line.startswith("x/")] == ["x/best.m3u8", "x/small.m3u8"]
    dvr = recorder.playlist("rec1", "best", ended=False, skip=False)
    assert dvr is not None
    text = dvr.plain.decode()
    assert "#EXT-X-PART" not in text.replace("#EXT-X-PART-INF", "")
    assert text.count("#EXTINF") == 10
    assert "#EXT-X-ENDLIST" not in text
    delta = recorder.playlist("rec1", "best", ended=False, skip=True)
    assert delta is not None
    assert "SKIPPED-SEGMENTS=3\n" in delta.plain.decode()
    recorder.end("rec1", 99)
    replay = recorder.playlist("rec1", "best", ended=True, skip=False)
    assert replay is not None
    assert replay.plain.decode().endswith("../720p30/9.m4s\n#EXT-X-ENDLIST\n")
    recorder.close()
    again = recorder_at(tmp_path)
    again.start(0)
    assert again.playlist("rec1", "best", ended=True, skip=False) == replay
    assert again.sweep(99 + 1000, 2000) == []
    assert again.sweep(99 + 3000, 2000) == ["rec1"]
    assert not list((tmp_path / "segments").rglob("*.m4s"))
    again.close()
    third = recorder_at(tmp_path)
    third.start(0)
    assert third.recordings("stream") == []
    third.close()


async def test_an_epoch_of_one_rung_is_in_every_playlist(tmp_path: Path) -> None:
    """Before the first picture it is black and small; later a source may be small itself."""
    recorder = recorder_at(tmp_path)
    recorder.start(0)
    origin = Origin(archive=recorder)
    origin.begin("stream", "rec1")
    for tracks in ((M, A), (V, L, A), (M, A)):
        origin.handle_event("stream", EpochStart(tracks, 0))
        for index in range(12):
            for track in tracks:
                at = (index // 6, index % 6, index * 333_333, 333_333, index % 6 == 0, index % 6 == 5)
                origin.handle_event("stream", PartGroup((Part(track.name, *at, b"x" * 100),)))
    origin.end("stream")
    assert recorder.flush()
    recorder.close()
    again = recorder_at(tmp_path)
    again.start(0)
    for found in (recorder, again):
        recording = found.recordings("stream")[0]
        assert recording.entry()["missing_s"] == 0
        assert recording.bytes == 7 * 2 * 600
        for role, names in (
            ("best", ("480p30", "720p30", "480p30")),
            ("small", ("480p30", "360p30", "480p30")),
            ("sound", ("sound",) * 3),
        ):
            made = found.playlist("rec1", role, ended=True, skip=False)
            assert made is not None
            text = made.plain.decode()
            assert "#EXT-X-MEDIA-SEQUENCE:0\n" in text
            assert text.count("#EXT-X-DISCONTINUITY\n") == 2
            segments = [line for line in text.splitlines() if line.endswith(".m4s")]
            assert segments == [f"../{names[msn // 2]}/{msn}.m4s" for msn in range(6)]
    again.close()


def test_kill_9_loses_only_the_open_part(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path\n"
        "from tests.interop.test_recorder import recorder_at, record\n"
        "recorder = recorder_at(Path(sys.argv[1])); recorder.start(0)\n"
        "record(recorder, 4, more_parts=3)\n"
        "assert recorder.flush(); print('ready', flush=True); time.sleep(60)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parent.parent.parent,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    recorder = recorder_at(tmp_path)
    recorder.start(12345)
    recording = recorder.recordings("stream")[0]
    assert recording.ended_us is not None
    assert recording.duration_us == (4 * 6 + 3) * 333_333
    assert recorder.flush()
    assert recorder._store.get("rec1/720p30/4.m4s") == b"".join(b"720p30-4.%d;" % i for i in range(3))
    replay = recorder.playlist("rec1", "sound", ended=True, skip=False)
    assert replay is not None
    assert replay.plain.decode().count("#EXTINF") == 5
    recorder.close()


def test_a_store_that_is_away_for_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = recorder_at(tmp_path)
    take = recorder._store.take
    tries = 0

    def away(key: str, path: Path) -> None:
        nonlocal tries
        tries += 1
        if tries < 10:
            raise StoreError("away")
        take(key, path)

    monkeypatch.setattr(recorder._store, "take", away)
    recorder.start(0)
    record(recorder, 3)
    assert recorder.flush()
    assert tries > 10
    assert recorder.troubles == {}
    assert {p.name for p in (tmp_path / "segments/rec1/720p30").iterdir()} == {
        "0.m4s",
        "1.m4s",
        "2.m4s",
        "init-0.mp4",
    }
    recorder.close()


async def test_what_the_store_has_not_taken_is_read_from_the_spool(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = recorder_at(tmp_path)

    def away(*_: object) -> None:
        raise StoreError("away")

    monkeypatch.setattr(recorder._store, "take", away)
    monkeypatch.setattr(recorder._store, "get", away)
    recorder.start(0)
    record(recorder, 2, more_parts=3)
    assert not recorder.flush(0.3)
    assert set(recorder.troubles) == {"store"}
    assert await recorder.read("rec1", "720p30/1.m4s") == b"".join(b"720p30-1.%d;" % i for i in range(6))
    assert await recorder.read("rec1", "720p30/init-0.mp4") == b"init-v"
    assert await recorder.read("rec1", "720p30/2.m4s") is None, "not before it is finished"
    recorder.close(0.3)
    again = recorder_at(tmp_path)
    again.start(0)
    assert again.flush()
    assert again._store.get("rec1/720p30/1.m4s") is not None
    again.close()


def test_a_full_disk_pauses_and_what_is_in_the_window_is_written_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with small_disk(tmp_path, 4) as disk:
        recorder = recorder_at(disk)
        recorder.start(0)
        origin = record(recorder, 2)
        assert recorder.flush()
        disk_full(disk)
        go_on(origin, 2, 2)
        wait_for(lambda: recorder.paused is not None)
        go_on(origin, 4, 26)
        assert not recorder.flush(0.2)
        # Each of the three tracks keeps 22 segments.
        assert recorder.segments_lost == 3 * (28 - 22)
        assert set(recorder.troubles) >= {"disk"}
        recording = recorder.recordings("stream")[0]
        assert recording.missing_us > 0
        disk_emptied(disk)
        assert recorder.flush()
        assert recorder.paused is None
        told = [line for line in caplog.messages if "recording" in line and "index" not in line]
        assert [line.split(":")[0] for line in told] == [
            "recording pauses, live goes on",
            "recording goes on",
        ]
        go_on(origin, 30, 1)
        origin.end("stream")
        assert recorder.flush()
        kept = [s.msn for s in recording.segments("small")]
        assert kept == [0, 1, *range(kept[2], 31)]
        assert 30 - kept[2] >= 22
        for msn in kept:
            data = recorder._store.get(f"rec1/360p30/{msn}.m4s")
            assert data == b"".join(b"360p30-%d.%d;" % (msn, i) for i in range(6))
        replay = recorder.playlist("rec1", "small", ended=True, skip=False)
        assert replay is not None
        text = replay.plain.decode()
        assert text.count("#EXT-X-GAP") == 31 - len(kept)
        assert text.count("#EXTINF") == 31
        recorder.close()
        again = recorder_at(disk)
        again.start(0)
        for role in ("best", "small", "sound"):
            assert again.recordings("stream")[0].segments(role) == recording.segments(role)
        again.close()


def test_an_index_that_is_torn_by_a_full_disk_goes_on_whole(tmp_path: Path) -> None:
    with small_disk(tmp_path, 1) as disk:
        index = LogIndex(disk / "index")
        index.append("a", {"type": "begin"})
        fill_up(disk)
        refused = 0
        for n in range(100):
            try:
                index.append("a", {"type": "x", "n": n, "more": "x" * 500})
            except OSError:
                refused += 1
        assert refused
        disk_emptied(disk)
        index.append("a", {"type": "end"})
        kinds = [record["type"] for record in LogIndex(disk / "index").load("a")]
        assert (kinds[0], kinds[-1]) == ("begin", "end")
        assert set(kinds[1:-1]) <= {"x"}
        lines = (disk / "index" / "a.jsonl").read_bytes().splitlines()
        assert all(json.loads(line) for line in lines), "no torn line"


def test_thumbnails_are_pictures() -> None:
    from hls_bridge.thumbnail import jpeg_of
    from tests.generated import draw

    jpeg = jpeg_of(draw(3, 1280, 720))
    with av.open(io.BytesIO(jpeg)) as container:
        frame = next(container.decode(video=0))
        assert (frame.width, frame.height) == (320, 180)
