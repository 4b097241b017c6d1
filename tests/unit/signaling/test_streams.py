from __future__ import annotations

import asyncio
from typing import Any

import pytest

from signaling.store.records import Audience
from tests.unit.signaling.conftest import Api, ManualClock


async def go_live(api: Api, stream_id: str) -> None:
    """As a publisher's first media does."""
    api.node.live.report_live(stream_id)
    await becomes(api, stream_id, "live")


async def go_off(api: Api, stream_id: str) -> None:
    api.node.live.report_off(stream_id)
    await becomes(api, stream_id, "ended")


async def becomes(api: Api, stream_id: str, status: str) -> None:
    async with asyncio.timeout(10):
        while True:
            stream = await api.node.streams.get(stream_id)
            if stream is not None and stream.status == status:
                return


async def test_a_stream_is_made_whole(api: Api) -> None:
    token = await api.sign_up("Ada")
    made = await api.make_stream(token, title="Ada's night", category="music")
    base = api.node.url
    assert made == {
        "stream_id": made["stream_id"],
        "broadcaster_id": made["broadcaster_id"],
        "broadcaster_name": "Ada",
        "title": "Ada's night",
        "category": "music",
        "status": "created",
        "visibility": "public",
        "record": True,
        "recording": False,
        "created_at": "2030-01-01T12:00:00Z",
        "scheduled_at": None,
        "started_at": None,
        "ended_at": None,
        "viewers": {"total": 0, "webrtc": 0, "hls": 0},
        "thumbnail_url": None,
        "watch_url": f"{base}/watch/{made['stream_id']}",
        "stream_key": made["stream_key"],
        # This node has neither engine nor ingest nor HLS.
        "ingest_url": None,
        "backup_ingest_url": None,
        "srt_url": None,
        "whip_url": None,
        "whep_url": None,
        "manifest_url": None,
    }
    seen = await api.call("GET", f"/api/v1/streams/{made['stream_id']}")
    assert seen.status == 200
    assert seen.json == {
        name: value
        for name, value in made.items()
        if name not in ("stream_key",)
        and not name.endswith(("ingest_url", "srt_url", "whip_url", "whep_url", "manifest_url"))
    }
    assert made["stream_key"] not in seen.content.decode()
    mine = await api.call("GET", "/api/v1/streams?owner=me", token=token)
    assert mine.json == {"streams": [seen.json], "next_cursor": None}


async def test_times_are_utc_whatever_the_zone(api: Api) -> None:
    token = await api.sign_up()
    made = await api.make_stream(token, scheduled_at="2030-02-01T20:00:00+02:00")
    assert (made["status"], made["scheduled_at"]) == ("scheduled", "2030-02-01T18:00:00Z")


@pytest.mark.parametrize(
    ("values", "pointer"),
    [
        ({"title": ""}, "/title"),
        ({"title": "x" * 201}, "/title"),
        ({"title": None}, "/title"),
        ({"category": "a\x00b"}, "/category"),
        ({"visibility": "secret"}, "/visibility"),
        ({"scheduled_at": "tomorrow"}, "/scheduled_at"),
        ({"scheduled_at": "2030-02-01T20:00:00"}, "/scheduled_at"),
        ({"scheduled_at": "0001-01-01T00:00:00+14:00"}, "/scheduled_at"),
        ({"scheduled_at": "9999-12-31T23:59:59-14:00"}, "/scheduled_at"),
        ({"scheduled_at": 1893456000}, "/scheduled_at"),
        ({"scheduled_at": "1893456000"}, "/scheduled_at"),
        ({"scheduled_at": "2030-02-01"}, "/scheduled_at"),
        ({"record": "perhaps"}, "/record"),
        ({"record": "yes"}, "/record"),
        ({"record": 1}, "/record"),
        ({"record": None}, "/record"),
        ({"title": 5}, "/title"),
        ({"stream_key": "mine"}, "/stream_key"),
    ],
)
async def test_bad_fields_are_refused(api: Api, values: dict[str, object], pointer: str) -> None:
    token = await api.sign_up()
    body = {"title": "t", "category": "c"} | values
    answer = await api.call("POST", "/api/v1/streams", body, token)
    assert (answer.status, answer.problem) == (422, "invalid-request")
    assert [each["pointer"] for each in answer.json["errors"]] == [pointer]
    made = await api.make_stream(token)
    answer = await api.call("PATCH", f"/api/v1/streams/{made['stream_id']}", values, token)
    assert (answer.status, answer.problem) == (422, "invalid-request")


async def test_changing(api: Api) -> None:
    token = await api.sign_up()
    made = await api.make_stream(token)
    path = f"/api/v1/streams/{made['stream_id']}"
    changed = await api.call(
        "PATCH", path, {"title": "Other", "visibility": "unlisted", "record": False}, token
    )
    assert changed.status == 200
    assert (changed.json["title"], changed.json["visibility"], changed.json["record"]) == (
        "Other",
        "unlisted",
        False,
    )
    assert changed.json["category"] == "music"
    assert (await api.call("PATCH", path, {}, token)).json == changed.json
    assert (await api.call("GET", path)).json == changed.json


async def test_only_the_owner_may(api: Api) -> None:
    token, other = await api.sign_up("Ada"), await api.sign_up("Bob")
    stream_id = (await api.make_stream(token))["stream_id"]
    path = f"/api/v1/streams/{stream_id}"
    for method, suffix, body in (
        ("PATCH", "", {"title": "x"}),
        ("DELETE", "", None),
        ("POST", "/key", None),
        ("POST", "/playback-tokens", {"ttl_s": 60}),
    ):
        answer = await api.call(method, path + suffix, body, other)
        assert (answer.status, answer.problem) == (403, "forbidden")
        assert (await api.call(method, path + suffix, body)).status == 401
        unknown = await api.call(method, "/api/v1/streams/nothing" + suffix, body, other)
        assert (unknown.status, unknown.problem) == (404, "stream-not-found")


async def test_deleting(api: Api) -> None:
    token = await api.sign_up()
    made = await api.make_stream(token)
    path = f"/api/v1/streams/{made['stream_id']}"
    assert await api.node.keys.stream_of(made["stream_key"]) == made["stream_id"]
    answer = await api.call("DELETE", path, token=token)
    assert (answer.status, answer.content) == (204, b"")
    assert (await api.call("GET", path)).problem == "stream-not-found"
    assert (await api.call("DELETE", path, token=token)).status == 404
    assert await api.node.keys.stream_of(made["stream_key"]) is None


async def test_a_rotation_replaces_the_key_at_once(api: Api) -> None:
    token = await api.sign_up()
    made = await api.make_stream(token)
    assert await api.node.keys.stream_of(made["stream_key"]) == made["stream_id"]
    rotated = await api.call("POST", f"/api/v1/streams/{made['stream_id']}/key", token=token)
    assert rotated.status == 200
    assert rotated.json["stream_key"] != made["stream_key"]
    assert await api.node.keys.stream_of(made["stream_key"]) is None
    assert await api.node.keys.stream_of(rotated.json["stream_key"]) == made["stream_id"]


async def test_live_and_ended_are_seen(api: Api, clock: ManualClock) -> None:
    stream_id = (await api.make_stream(await api.sign_up()))["stream_id"]
    path = f"/api/v1/streams/{stream_id}"
    offline = {"mode": "offline", "whep_url": None, "manifest_url": None, "dvr_url": None}
    offline |= {"reason": "offline"}
    assert (await api.call("GET", path + "/playback")).json == offline
    await go_live(api, stream_id)
    api.node.live.report_audience(stream_id, webrtc=3)
    api.node.live.report_audience(stream_id, hls=2)
    seen = (await api.call("GET", path)).json
    assert (seen["status"], seen["started_at"]) == ("live", "2030-01-01T12:00:00Z")
    assert seen["viewers"] == {"total": 5, "webrtc": 3, "hls": 2}
    assert (await api.call("GET", path + "/playback")).json["reason"] == "full", "a node without an engine"
    clock.advance(60)
    await go_off(api, stream_id)
    seen = (await api.call("GET", path)).json
    assert (seen["status"], seen["ended_at"]) == ("ended", "2030-01-01T12:01:00Z")
    assert seen["viewers"]["total"] == 0
    assert (await api.call("GET", path + "/playback")).json == offline
    await go_live(api, stream_id)
    seen = (await api.call("GET", path)).json
    assert (seen["status"], seen["started_at"], seen["ended_at"]) == ("live", "2030-01-01T12:01:00Z", None)


async def test_discover(api: Api) -> None:
    token = await api.sign_up()
    ids = [(await api.make_stream(token, title=f"{number}"))["stream_id"] for number in range(5)]
    hidden = (await api.make_stream(token, visibility="unlisted"))["stream_id"]
    secret = (await api.make_stream(token, visibility="private"))["stream_id"]
    games = (await api.make_stream(token, category="games"))["stream_id"]
    assert (await api.call("GET", "/api/v1/streams/discover")).json == {"streams": [], "next_cursor": None}
    for stream_id in (*ids[:4], hidden, secret, games):
        await go_live(api, stream_id)
    for number, stream_id in enumerate(ids[:4]):
        api.node.live.report_audience(stream_id, webrtc=number + 1)
    await api.node.live.flush_audiences()
    first = await api.call("GET", "/api/v1/streams/discover?category=music&limit=3")
    assert [each["title"] for each in first.json["streams"]] == ["3", "2", "1"]
    assert [each["viewers"]["total"] for each in first.json["streams"]] == [4, 3, 2]
    rest = await api.call(
        "GET",
        "/api/v1/streams/discover",
        params={"category": "music", "limit": "3", "cursor": first.json["next_cursor"]},
    )
    assert [each["title"] for each in rest.json["streams"]] == ["0"]
    assert rest.json["next_cursor"] is None
    everything = await api.call("GET", "/api/v1/streams/discover?category=&sort=viewers&limit=20&cursor=")
    assert {each["stream_id"] for each in everything.json["streams"]} == {*ids[:4], games}


@pytest.mark.parametrize(
    ("query", "status", "problem"),
    [
        ("limit=0", 422, "invalid-request"),
        ("limit=101", 422, "invalid-request"),
        ("limit=many", 422, "invalid-request"),
        ("sort=best", 422, "invalid-request"),
        ("colour=red", 422, "invalid-request"),
        ("category=%20", 422, "invalid-request"),
        ("limit=1&limit=2", 400, "bad-request"),
        ("cursor=nonsense", 400, "bad-cursor"),
    ],
)
async def test_bad_queries(api: Api, query: str, status: int, problem: str) -> None:
    answer = await api.call("GET", f"/api/v1/streams/discover?{query}")
    assert (answer.status, answer.problem) == (status, problem)


async def test_listing_needs_to_say_whose(api: Api) -> None:
    token = await api.sign_up()
    assert (await api.call("GET", "/api/v1/streams", token=token)).problem == "invalid-request"
    assert (await api.call("GET", "/api/v1/streams?owner=me")).status == 401


async def private_stream(api: Api) -> tuple[str, dict[str, Any]]:
    token = await api.sign_up("Ada")
    return token, await api.make_stream(token, visibility="private")


async def test_a_private_stream_is_for_its_owner_and_token_holders(api: Api, clock: ManualClock) -> None:
    owner, made = await private_stream(api)
    other = await api.sign_up("Bob")
    path = f"/api/v1/streams/{made['stream_id']}"
    answer = await api.call("POST", path + "/playback-tokens", {"ttl_s": 60}, owner)
    assert answer.status == 201
    assert answer.json["expires_at"] == "2030-01-01T12:01:00Z"
    token = answer.json["token"]
    assert answer.json["watch_url"] == f"{api.node.url}/watch/{made['stream_id']}#playback_token={token}"
    for suffix in ("", "/playback"):
        assert (await api.call("GET", path + suffix)).problem == "unauthorized"
        assert (await api.call("GET", path + suffix, token=other)).problem == "private-stream"
        assert (await api.call("GET", path + suffix, token=owner)).status == 200
        assert (await api.call("GET", path + suffix, token=token)).status == 200
        assert (await api.call("GET", path + suffix, token=token + "x")).status == 401
    elsewhere = await api.make_stream(other, visibility="private")
    answer = await api.call("GET", f"/api/v1/streams/{elsewhere['stream_id']}", token=token)
    assert (answer.status, answer.problem) == (403, "private-stream")
    assert (await api.call("PATCH", path, {"title": "x"}, token)).status == 401, (
        "watching is all that it opens"
    )
    clock.advance(60)
    assert (await api.call("GET", path, token=token)).status == 401


@pytest.mark.parametrize("ttl_s", [0, -1, 10**9, "soon", 1.5])
async def test_a_playback_token_has_a_sane_life(api: Api, ttl_s: object) -> None:
    owner, made = await private_stream(api)
    answer = await api.call(
        "POST", f"/api/v1/streams/{made['stream_id']}/playback-tokens", {"ttl_s": ttl_s}, owner
    )
    assert answer.problem == "invalid-request"


async def test_a_broken_node_ends_its_streams_at_the_next_start(api: Api) -> None:
    stream_id = (await api.make_stream(await api.sign_up()))["stream_id"]
    await go_live(api, stream_id)
    await api.node.streams.set_audiences({stream_id: Audience(1, 0)})
    assert await api.node.streams.end_all_of(api.node.installation.node_id, api.node.clock.now()) == 1
