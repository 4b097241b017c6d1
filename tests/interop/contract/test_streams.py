"""Streams: made, seen, changed, deleted; the list of what is live."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import aiohttp
import pytest

from tests.interop.aiortc_peer import Viewer
from tests.interop.contract.user import WITHIN_S, User, at, call, live

VIEW = {
    "stream_id",
    "broadcaster_id",
    "title",
    "category",
    "status",
    "started_at",
    "ended_at",
    "viewers",
    "thumbnail_url",
    "visibility",
    "recording",
}
MADE = {
    "stream_id",
    "stream_key",
    "ingest_url",
    "backup_ingest_url",
    "srt_url",
    "whip_url",
    "whep_url",
    "manifest_url",
    "watch_url",
}


async def test_a_stream_is_made_and_seen(ada: User, http: aiohttp.ClientSession) -> None:
    made = await ada.stream(title="Ä show")
    assert made.keys() >= MADE
    assert made["whip_url"] == f"{ada.url}/whip"
    assert made["whep_url"] == f"{ada.url}/whep/{made['stream_id']}"
    assert made["manifest_url"] == f"{ada.url}/api/v1/streams/{made['stream_id']}/manifest.m3u8"
    assert made["watch_url"] == f"{ada.url}/watch/{made['stream_id']}"
    if made["ingest_url"] is not None:
        assert made["ingest_url"].endswith(f"/live/{made['stream_key']}")
    url = f"{ada.url}/api/v1/streams/{made['stream_id']}"
    seen = await call(http, "GET", url)
    assert seen.status == 200
    assert seen.json.keys() >= VIEW
    assert made["stream_key"] not in seen.text
    assert seen.json["broadcaster_id"] == ada.account_id
    assert (seen.json["title"], seen.json["status"]) == ("Ä show", "created")
    assert seen.json["viewers"] == {"total": 0, "webrtc": 0, "hls": 0}
    assert seen.headers["Access-Control-Allow-Origin"] == "*"
    head = await call(http, "HEAD", url)
    assert (head.status, head.body) == (200, b"")
    assert head.headers["Content-Length"] == str(len(seen.body))
    (await call(http, "GET", f"{ada.url}/api/v1/streams/unknown")).refused(404, "stream-not-found")


async def test_only_its_owner_changes_it(ada: User, bob: User) -> None:
    stream_id = (await ada.stream())["stream_id"]
    path = f"/streams/{stream_id}"
    calls = (
        ("PATCH", path, {"title": "Mine"}),
        ("POST", f"{path}/key", None),
        ("POST", f"{path}/playback-tokens", {"ttl_s": 60}),
        ("POST", f"{path}/invites", {}),
        ("PUT", f"{path}/layout", {"layout": "grid"}),
        ("DELETE", path, None),
    )
    for method, url, body in calls:
        (await bob.api(method, url, body)).refused(403, "forbidden")
        (await bob.api(method, url, body, token="x")).refused(401)
        (await bob.api(method, url.replace(stream_id, "unknown"), body)).refused(404, "stream-not-found")
    changed = await ada.api("PATCH", path, {"title": "New", "category": "talk"})
    assert changed.status == 200
    assert (changed.json["title"], changed.json["category"]) == ("New", "talk")
    assert "stream_key" not in changed.json
    assert (await ada.api("DELETE", path)).status in (200, 204)
    for method, url, body in calls:
        (await ada.api(method, url, body)).refused(404, "stream-not-found")


async def test_wrong_members_are_refused_by_name(ada: User) -> None:
    good = {"title": "a", "category": "b"}
    for member, value in (
        ("title", ""),
        ("title", "x" * 10_000),
        ("title", None),
        ("category", 1),
        ("record", "maybe"),
        ("visibility", "secret"),
        ("scheduled_at", "tomorrow"),
        ("scheduled_at", "2030-01-01T00:00:00"),
        ("colour", "red"),
    ):
        problem = (await ada.api("POST", "/streams", good | {member: value})).refused(422, "invalid-request")
        assert member in problem["detail"]
    for missing in good:
        (await ada.api("POST", "/streams", {m: v for m, v in good.items() if m != missing})).refused(422)


async def test_a_scheduled_stream(ada: User) -> None:
    when = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    made = await ada.stream(scheduled_at=when.astimezone().isoformat())
    assert made["status"] == "scheduled"
    assert at(made["scheduled_at"]) == when
    async with live(ada, made):
        pass
    path = f"/streams/{made['stream_id']}"
    assert (await ada.api("PATCH", path, {"scheduled_at": None})).json["scheduled_at"] is None


async def test_discover(ada: User, http: aiohttp.ClientSession) -> None:
    category = f"c-{uuid4().hex[:8]}"
    url = f"{ada.url}/api/v1/streams/discover"

    async def discover(**query: object) -> dict[str, object]:
        found = await call(http, "GET", url, params={"category": category, **query})
        assert found.status == 200, found.text
        assert found.headers["Access-Control-Allow-Origin"] == "*"
        page: dict[str, object] = found.json
        assert page.keys() == {"streams", "next_cursor"}
        return page

    one, two = await ada.stream(category=category), await ada.stream(category=category)
    hidden = [await ada.stream(category=category, visibility=each) for each in ("unlisted", "private")]
    assert (await discover())["streams"] == []
    async with live(ada, one), live(ada, two), live(ada, hidden[0]), live(ada, hidden[1]):
        page = await discover(sort="viewers")
        assert isinstance(page["streams"], list)
        assert {each["stream_id"] for each in page["streams"]} == {one["stream_id"], two["stream_id"]}
        assert all(each.keys() >= VIEW for each in page["streams"])
        assert one["stream_key"] not in str(page)
        at(page["streams"][0]["started_at"])
        first = await discover(limit=1)
        assert isinstance(first["streams"], list)
        assert first["next_cursor"]
        second = await discover(limit=1, cursor=first["next_cursor"])
        assert isinstance(second["streams"], list)
        assert second["next_cursor"] is None
        assert {each[0]["stream_id"] for each in (first["streams"], second["streams"])} == {
            one["stream_id"],
            two["stream_id"],
        }
        # the one with a viewer comes first, whichever went live first
        for each in (one, two):
            viewer = Viewer()
            try:
                await viewer.start(ada, each["stream_id"])
                async with asyncio.timeout(WITHIN_S):
                    while True:
                        found = await discover(sort="viewers")
                        assert isinstance(found["streams"], list)
                        order = [(seen["stream_id"], seen["viewers"]["total"]) for seen in found["streams"]]
                        if order[0] == (each["stream_id"], 1):
                            break
                        await asyncio.sleep(0.2)
                assert order[1][1] == 0
            finally:
                await viewer.close()
    for query in ("limit=0", "limit=x", "limit=100000", "cursor=zzz", "sort=length"):
        answer = await call(http, "GET", f"{url}?{query}")
        answer.refused(answer.status)
        assert answer.status in (400, 422), query


@pytest.mark.parametrize("visibility", ["unlisted", "public"])
async def test_it_ends_and_goes_live_again(ada: User, visibility: str) -> None:
    stream = await ada.stream(visibility=visibility)
    playback = f"/streams/{stream['stream_id']}/playback"
    offline = (await ada.api("GET", playback)).json
    assert (offline["mode"], offline["reason"]) == ("offline", "offline")
    for ends_it in ("DELETE", "another key"):
        async with live(ada, stream) as publisher:
            seen = await ada.see(stream["stream_id"])
            assert at(seen["started_at"])
            assert seen["ended_at"] is None
            seat = (await ada.api("GET", playback)).json
            assert (seat["mode"], seat["reason"]) == ("webrtc", "seat")
            assert seat["whep_url"] == stream["whep_url"]
            if ends_it == "DELETE":
                await call(ada.http, "DELETE", publisher.url)
            else:  # the publisher is ended at once, and waited for
                await ada.api("POST", f"/streams/{stream['stream_id']}/key")
            ended = await ada.until(stream["stream_id"], "ended")
            assert at(ended["ended_at"]) >= at(ended["started_at"])
        stream = stream | (await ada.api("POST", f"/streams/{stream['stream_id']}/key")).json
    path = f"/streams/{stream['stream_id']}/manifest.m3u8"
    async with asyncio.timeout(WITHIN_S):
        # while the last segments come in, it is late
        while (manifest := await ada.api("GET", path)).status == 503:
            manifest.refused(503, "overdue")
    manifest.refused(410, "stream-ended")
    (await ada.api("GET", path.replace("manifest", "dvr"))).refused(410, "stream-ended")
