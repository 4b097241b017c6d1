"""HLS and recordings: playlists by text, media by PyAV."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path
from urllib.parse import urljoin

import aiohttp
import av
import pytest

from tests.interop.contract.test_whip import SDP, offer
from tests.interop.contract.user import Answer, User, at, call, live, sign_up
from tests.interop.serve_process import spillway

HLS_S = 120.0
"""A busy machine transcodes slowly."""


async def answered(user: User, url: str, status: int = 200) -> Answer:
    """Once it is that; a playlist that is late says so with 503, one of a start that lies ahead with 404."""
    async with asyncio.timeout(HLS_S):
        while (answer := await call(user.http, "GET", url)).status != status:
            answer.refused(answer.status)
            assert answer.status in (404, 503), answer.text
            await asyncio.sleep(0.2)
    return answer


async def first_playlist(user: User, manifest_url: str) -> str:
    """URL of the first rendition."""
    return urljoin(manifest_url, uris((await answered(user, manifest_url)).text)[0])


def uris(playlist: str) -> list[str]:
    return [line for line in playlist.splitlines() if line and not line.startswith("#")]


@pytest.mark.parametrize("visibility", ["public", "private"])
async def test_live_then_replay(ada: User, visibility: str) -> None:
    stream = await ada.stream(record=True, visibility=visibility)
    path = f"/streams/{stream['stream_id']}"
    manifest_url = stream["manifest_url"]
    assert manifest_url is not None
    if visibility == "private":
        (await call(ada.http, "GET", manifest_url)).refused(403, "private-stream")
        manifest_url = (await ada.api("POST", f"{path}/playback-tokens", {"ttl_s": 600})).json["manifest_url"]
    for name in ("manifest.m3u8", "dvr.m3u8"):
        (await call(ada.http, "GET", urljoin(manifest_url, name))).refused(404, "stream-not-live")
    async with live(ada, stream):
        master = await answered(ada, manifest_url)
        assert master.headers["Content-Type"].split(";")[0] == "application/vnd.apple.mpegurl"
        assert master.headers["Access-Control-Allow-Origin"] == "*"
        head = await call(ada.http, "HEAD", manifest_url)
        assert (head.status, head.body) == (200, b"")
        assert master.text.startswith("#EXTM3U")
        assert "#EXT-X-STREAM-INF" in master.text
        media_url = urljoin(manifest_url, uris(master.text)[0])
        media = await answered(ada, media_url)
        assert "#EXT-X-PART-INF" in media.text
        assert "CAN-BLOCK-RELOAD=YES" in media.text
        segment = urljoin(media_url, uris(media.text)[0])
        whole = await answered(ada, segment)
        part = await call(ada.http, "GET", segment, headers={"Range": "bytes=0-9"})
        assert (part.status, part.body) == (206, whole.body[:10])
        beyond = await call(ada.http, "GET", segment, headers={"Range": "bytes=999999999-"})
        beyond.refused(416, "range-not-satisfiable")
        assert (await ada.see(stream["stream_id"]))["recording"] is True
        await answered(ada, urljoin(manifest_url, "dvr.m3u8"))
        await ada.api("POST", f"{path}/key")
        ended = await ada.until(stream["stream_id"], "ended")
    assert ended["recording"] is False
    async with asyncio.timeout(HLS_S):
        while not (found := (await ada.api("GET", f"{path}/recordings")).json["recordings"]) or (  # noqa: ASYNC110
            found[0]["expires_at"] is None
        ):
            await asyncio.sleep(0.2)
    [recording] = found
    assert recording.keys() >= {
        "recording_id",
        "started_at",
        "duration_s",
        "bytes",
        "manifest_url",
        "mp4_url",
        "thumbnail_url",
        "expires_at",
    }
    at(recording["started_at"])
    at(recording["expires_at"])
    assert recording["duration_s"] > 0
    replay = await answered(ada, manifest_url)
    media_url = urljoin(manifest_url, uris(replay.text)[0])
    assert "#EXT-X-ENDLIST" in (await answered(ada, media_url)).text
    assert (await call(ada.http, "GET", recording["manifest_url"], token=ada.token)).status == 200
    file = await call(ada.http, "GET", recording["mp4_url"], token=ada.token)
    assert file.status == 200
    assert file.headers["Content-Type"] == "video/mp4"
    with av.open(io.BytesIO(file.body)) as container:
        assert {each.type for each in container.streams} == {"audio", "video"}
        assert next(container.decode(video=0)).width == 640
    if visibility == "private":
        bare = f"{ada.url}/api/v1/recordings/{recording['recording_id']}/video.mp4"
        (await call(ada.http, "GET", bare)).refused(403, "private-stream")
    (await call(ada.http, "GET", f"{ada.url}/api/v1/recordings/unknown/video.mp4")).refused(404)
    assert (await ada.api("DELETE", path)).status == 204
    (await call(ada.http, "GET", manifest_url)).refused(404, "stream-not-found")


async def test_without_a_seat_it_plays_over_hls_and_a_restart_keeps_the_replay(
    http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    async with spillway(tmp_path, "--seats-per-stream", "0") as node:
        user = await sign_up(http, node.url)
        stream = await user.stream(record=True)
        async with live(user, stream):
            playback = (await user.api("GET", f"/streams/{stream['stream_id']}/playback")).json
            assert (playback["mode"], playback["reason"]) == ("hls", "full")
            assert playback["manifest_url"] == stream["manifest_url"]
            sdp = await offer("recvonly")
            refused = await call(http, "POST", stream["whep_url"], data=sdp, headers=SDP)
            assert refused.refused(503, "no-seat")["manifest_url"] == stream["manifest_url"]
            assert int(refused.headers["Retry-After"]) > 0
            media_url = await first_playlist(user, stream["manifest_url"])
            async with asyncio.timeout(HLS_S):
                while not uris((await answered(user, media_url)).text):  # noqa: ASYNC110
                    await asyncio.sleep(0.2)
        # it ends live: what has been recorded by then is there afterwards
        assert await node.stop() == 0
    async with spillway(tmp_path) as node:
        user.url = node.url
        assert (await user.see(stream["stream_id"]))["status"] == "ended"
        path = f"/streams/{stream['stream_id']}"
        [recording] = (await user.api("GET", f"{path}/recordings")).json["recordings"]
        assert recording["duration_s"] > 0
        replay = await first_playlist(user, f"{node.url}/api/v1{path}/manifest.m3u8")
        assert "#EXT-X-ENDLIST" in (await answered(user, replay)).text
        file = await call(http, "GET", recording["mp4_url"])
        with av.open(io.BytesIO(file.body)) as container:
            assert next(container.decode(video=0)).width == 640
