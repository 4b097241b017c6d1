from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import av
import pytest

from hls_bridge.part import EpochStart, Part, PartGroup, Thumbnail, TrackSpec
from hls_bridge.recorder import Recorder
from hls_bridge.segment_index import LogIndex, MemoryIndex, SegmentIndex
from hls_bridge.segment_store import DirectoryStore, StoreError

V = TrackSpec("720p30", "video", "avc1.64001F", 2_750_000, b"init-v", 1280, 720, 30)
M = TrackSpec("480p30", "video", "avc1.64001F", 1_500_000, b"init-m", 854, 480, 30)
L = TrackSpec("360p30", "video", "avc1.64001E", 770_000, b"init-l", 640, 360, 30)
A = TrackSpec("sound", "audio", "mp4a.40.2", 140_000, b"init-a", channels=2)


def recorder_at(root: Path) -> Recorder:
    return Recorder(DirectoryStore(root / "segments"), LogIndex(root / "index"), root / "spool")


def record(recorder: Recorder, segments: int, *, more_parts: int = 0, session: str = "rec1") -> None:
    from hls_bridge.origin import Origin

    origin = Origin(archive=recorder)
    origin.begin("stream", session)
    origin.handle_event("stream", EpochStart((V, M, L, A), 0))
    origin.handle_event("stream", Thumbnail(0, b"\xff\xd8jpeg"))
    for index in range(segments * 6 + more_parts):
        segment, i = divmod(index, 6)
        for track in (V, M, L, A):
            data = b"%s-%d.%d;" % (track.name.encode(), segment, i)
            part = Part(track.name, segment, i, index * 333_333, 333_333, i == 0, i == 5, data)
            origin.handle_event("stream", PartGroup((part,)))


@pytest.mark.parametrize("make", [lambda path: LogIndex(path), lambda path: MemoryIndex()])
def test_index(make, tmp_path: Path) -> None:
    index: SegmentIndex = make(tmp_path)
    index.append("a", {"type": "begin", "n": 1})
    index.append("a", {"type": "end"})
    index.append("b-2", {"type": "begin"}, durable=False)
    assert index.load("a") == [{"type": "begin", "n": 1}, {"type": "end"}]
    assert list(index.sessions()) == ["a", "b-2"]
    index.delete("a")
    assert list(index.sessions()) == ["b-2"]
    assert index.load("a") == []


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
    monkeypatch.setattr("hls_bridge.recorder.RETRY_S", 0.05)
    recorder = recorder_at(tmp_path)
    put = recorder._store.put
    tries = 0

    def away(key: str, data: bytes) -> None:
        nonlocal tries
        tries += 1
        if tries < 10:
            raise StoreError("away")
        put(key, data)

    monkeypatch.setattr(recorder._store, "put", away)
    recorder.start(0)
    record(recorder, 3)
    assert recorder.flush()
    assert tries > 10
    assert {p.name for p in (tmp_path / "segments/rec1/720p30").iterdir()} == {
        "0.m4s",
        "1.m4s",
        "2.m4s",
        "init-0.mp4",
    }
    recorder.close()


def test_a_full_disk_keeps_what_it_can(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import hls_bridge.recorder as module

    append, fails = module._append, [True]

    def full(path: Path, data: bytes) -> None:
        if fails[0] and b"720p30-1.3" in data:
            raise OSError(28, "No space left on device")
        append(path, data)

    monkeypatch.setattr(module, "_append", full)
    recorder = recorder_at(tmp_path)
    recorder.start(0)
    record(recorder, 3)
    assert recorder.flush()
    assert recorder._store.get("rec1/720p30/1.m4s") == b"".join(b"720p30-1.%d;" % i for i in range(6))
    recorder.close()


def test_thumbnails_are_pictures() -> None:
    from hls_bridge.thumbnail import jpeg_of
    from tests.generated import draw

    jpeg = jpeg_of(draw(3, 1280, 720))
    with av.open(io.BytesIO(jpeg)) as container:
        frame = next(container.decode(video=0))
        assert (frame.width, frame.height) == (320, 180)
