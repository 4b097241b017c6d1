"""The index of recordings: in memory, in files, in Redis; and two origins that share one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hls_bridge.origin import Origin
from hls_bridge.part import EpochStart
from hls_bridge.recorder import Recorder
from hls_bridge.redis_index import RedisIndex
from hls_bridge.segment_index import IndexUnreachable, LogIndex, MemoryIndex, SegmentIndex
from hls_bridge.segment_store import DirectoryStore
from tests.interop.test_origin import A, Site, V, part
from tests.interop.test_recorder import go_on, record, wait_for
from tests.redis_server import redis_server


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with redis_server(tmp_path_factory.mktemp("redis")) as url:
        yield url


@pytest.fixture(params=["memory", "files", "redis"])
def index(request: pytest.FixtureRequest, tmp_path: Path) -> SegmentIndex:
    match request.param:
        case "memory":
            return MemoryIndex()
        case "files":
            return LogIndex(tmp_path)
        case _:
            return empty(request.getfixturevalue("redis_url"))


def empty(url: str) -> RedisIndex:
    index = RedisIndex.connect(url)
    for session in index.sessions():
        index.delete(session)
    return index


def test_what_is_appended_is_loaded_in_order(index: SegmentIndex) -> None:
    records = [{"type": "begin", "n": 1}, *({"type": "part", "n": n} for n in range(12)), {"type": "end"}]
    for each in records:
        index.append("a", each, durable=each["type"] != "part")
    index.append("b-2", {"type": "begin"}, durable=False)
    assert index.load("a") == records
    assert index.load("a", 11) == records[11:]
    assert index.load("a", 14) == []
    assert index.load("none") == []
    assert list(index.sessions()) == ["a", "b-2"]
    index.append("a", {"type": "late"})
    assert index.load("a", 13) == [{"type": "end"}, {"type": "late"}]
    index.delete("a")
    assert list(index.sessions()) == ["b-2"]
    assert index.load("a") == []
    index.append("a", {"type": "begin"})
    assert index.load("a") == [{"type": "begin"}]


def test_a_recording_survives_the_process(index: SegmentIndex, tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path / "segments")
    recorder = Recorder(store, index, tmp_path / "spool")
    recorder.start(0)
    record(recorder, 3).end("stream")
    assert recorder.flush()
    recorder.close()
    if isinstance(index, LogIndex):
        index = LogIndex(tmp_path)
    again = Recorder(store, index, tmp_path / "spool")
    again.start(0)
    [before], [after] = recorder.recordings("stream"), again.recordings("stream")
    for role in ("best", "small", "sound"):
        assert after.segments(role) == before.segments(role)
    assert after.ended_us == before.ended_us is not None
    again.close()


def test_redis_that_comes_back_gets_what_it_missed(tmp_path: Path) -> None:
    with redis_server(tmp_path) as url:
        port = int(url.rsplit(":", 1)[1].split("/")[0])
        index = RedisIndex.connect(url)
        store = DirectoryStore(tmp_path / "segments")
        recorder = Recorder(store, index, tmp_path / "spool", retry_s=0.05)
        recorder.start(0)
        origin = record(recorder, 2)
        assert recorder.flush()
    go_on(origin, 2, 30)
    wait_for(lambda: "index" in recorder.troubles)
    assert recorder.paused is None, "the spool takes it all"
    assert len(list((tmp_path / "spool").rglob("*.m4s"))) >= 3
    with redis_server(tmp_path, port):
        assert recorder.flush()
        assert recorder.segments_lost == 0
        found = index.load("rec1")
        kept = [each["msn"] for each in found if each["type"] == "segment" and each["track"] == "720p30"]
        assert kept == list(range(32))
        recorder.close()
    with pytest.raises(IndexUnreachable):
        RedisIndex.connect(url)


async def test_any_origin_serves_what_another_records(redis_url: str, tmp_path: Path) -> None:
    """The other one holds nothing: playlists come from the index, segments from the store."""
    store = DirectoryStore(tmp_path / "segments")
    recorders = [
        Recorder(store, RedisIndex.connect(redis_url), tmp_path / name, node_id=name) for name in ("a", "b")
    ]
    recorders[0].start(0)
    here = Site(Origin(archive=recorders[0]))
    here.origin.begin("s", "shared1")
    here.origin.handle_event("s", EpochStart((V, A), 0))
    for index in range(3 * 6):
        for track in (V, A):
            here.origin.handle_event("s", part(track, index // 6, index % 6))
    assert recorders[0].flush()
    recorders[1].start(0)
    there = Site(Origin(archive=recorders[1], block_s=5.0))
    await here.start()
    await there.start()
    try:
        status, body, _ = await there.get("/api/v1/streams/s/manifest.m3u8")
        assert status == 200
        assert b"/hls/s/shared1/dvr/best.m3u8" in body
        base = "/hls/s/shared1/dvr"
        text = (await there.get(f"{base}/best.m3u8"))[1]
        assert text.count(b"#EXTINF") == 3
        assert b"#EXT-X-ENDLIST" not in text, "its node is alive"
        whole = b"".join(b"720p30-1.%d;" % i for i in range(6))
        assert (await there.get("/hls/s/shared1/720p30/1.m4s"))[1] == whole
        assert (await there.get("/hls/s/shared1/720p30/init-0.mp4"))[1] == b"init-v"
        assert recorders[1].reads == 2
        assert recorders[1].read_sum_us > 0
        assert (await there.get(f"{base}/best.m3u8?_HLS_msn=9"))[0] == 400
        for index in range(6):
            for track in (V, A):
                here.origin.handle_event("s", part(track, 3, index))
        status, text, _ = await there.get(f"{base}/best.m3u8?_HLS_msn=3")
        assert (status, text.count(b"#EXTINF")) == (200, 4)
        here.origin.end("s")
        assert recorders[0].flush()
        async with there.http.get(f"{there.url}{base}/best.m3u8?_HLS_msn=4") as answer:
            assert (await answer.text()).endswith("#EXT-X-ENDLIST\n")
        recorders[0].delete("shared1")
        recorders[1]._caught_up_ns = -(10**12)
        assert (await there.get("/api/v1/streams/s/manifest.m3u8"))[0] == 404
    finally:
        await here.close()
        await there.close()
        for recorder in recorders:
            recorder.close()
