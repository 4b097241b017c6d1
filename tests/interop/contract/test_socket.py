"""Socket.IO as a page uses it: python-socketio's own client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
import socketio
from aiortc import RTCSessionDescription

from tests.interop.aiortc_peer import Viewer
from tests.interop.contract.test_whip import FRAGMENT, SDP, offer
from tests.interop.contract.user import WITHIN_S, User, call, live

__all__ = ["Page", "page"]


class Page:
    """A connection, and all that it was told."""

    def __init__(self, http: aiohttp.ClientSession | None = None) -> None:
        self.client = socketio.AsyncClient(reconnection=False, http_session=http)
        self.told: list[tuple[str, Any]] = []
        self.news = asyncio.Event()
        self.client.on("*", self._note)

    def _note(self, event: str, data: Any) -> None:
        self.told.append((event, data))
        self.news.set()

    async def call(self, event: str, data: object = None) -> dict[str, Any]:
        answer: dict[str, Any] = await self.client.call(event, data, timeout=int(WITHIN_S))
        return answer

    async def refused(self, event: str, data: object = None) -> dict[str, Any]:
        answer = await self.call(event, data)
        assert answer.keys() == {"ok", "problem"}
        assert answer["ok"] is False
        problem: dict[str, Any] = answer["problem"]
        assert problem["type"].startswith("/problems/")
        assert problem["status"] >= 400
        assert problem["title"]
        return problem

    async def until(self, event: str, fits: Callable[[Any], bool] = lambda _: True) -> Any:
        """The first ``event`` that fits, told already or still to come."""
        async with asyncio.timeout(WITHIN_S):
            while True:
                self.news.clear()
                for name, data in self.told:
                    if name == event and fits(data):
                        return data
                await self.news.wait()


@asynccontextmanager
async def page(
    url: str, auth: dict[str, str] | None = None, http: aiohttp.ClientSession | None = None
) -> AsyncIterator[Page]:
    """``http``: whose certificates are trusted."""
    opened = Page(http)
    await opened.client.connect(url, auth=auth, transports=["websocket"], wait_timeout=int(WITHIN_S))
    try:
        yield opened
    finally:
        await opened.client.disconnect()


async def test_a_guest_watches(ada: User) -> None:
    stream = await ada.stream()
    stream_id = stream["stream_id"]
    viewer = Viewer()
    async with page(ada.url) as guest:
        joined = await guest.call("join", {"stream_id": stream_id})
        assert joined["ok"] is True
        assert joined["stream"]["stream_id"] == stream_id
        assert "stream_key" not in joined["stream"]
        assert joined["playback"]["mode"] == "offline"
        assert joined["playback"].keys() >= {"mode", "whep_url", "manifest_url", "reason"}
        async with live(ada, stream):
            assert (await guest.until("stream", lambda data: data["status"] == "live"))["started_at"]
            told = await guest.until("playback", lambda data: data["mode"] == "webrtc")
            assert told["whep_url"] == stream["whep_url"]
            try:
                await viewer.start(ada, stream_id)
                await guest.until("viewers", lambda data: data == {"total": 1, "webrtc": 1, "hls": 0})
            finally:
                await viewer.close()
            await ada.api("PATCH", f"/streams/{stream_id}", {"title": "Another"})
            await guest.until("stream", lambda data: data["title"] == "Another")
        assert (await guest.call("leave"))["ok"] is True
        assert (await guest.call("leave"))["ok"] is True


async def test_what_a_client_may_send_wrong(ada: User) -> None:
    async with page(ada.url) as guest:
        assert (await guest.refused("join", {"stream_id": "unknown"}))["status"] == 404
        for payload in ({}, None, [], "x", {"stream_id": 1}, {"stream_id": "x", "more": 1}, b"bytes"):
            assert (await guest.refused("join", payload))["status"] in (400, 404, 422)
        assert (await guest.refused("nonsense", {}))["type"] == "/problems/unknown-event"
        for event in ("publish", "subscribe"):
            assert (await guest.refused(event, {"sdp": "v=0"}))["status"] == 409
        for nothing in ({}, None):  # sent without an argument
            assert (await guest.refused("stage:enter", nothing))["status"] in (403, 409)
        assert (await guest.refused("stage:enter", {"invite": "wrong"}))["status"] in (401, 404)
    for auth in ({"token": "wrong"}, {"playback_token": "wrong"}):
        with pytest.raises(socketio.exceptions.ConnectionError):
            async with page(ada.url, auth):
                pass


async def test_a_private_stream(ada: User, bob: User) -> None:
    stream = await ada.stream(visibility="private")
    path, stream_id = f"/streams/{stream['stream_id']}", stream["stream_id"]
    made = await ada.api("POST", f"{path}/playback-tokens", {"ttl_s": 600})
    assert made.status == 201
    assert made.json.keys() >= {"token", "expires_at", "watch_url", "whep_url", "manifest_url"}
    token = made.json["token"]
    assert f"/{token}/" in made.json["manifest_url"]
    for reader in (None, bob.token):
        for each in (
            path,
            f"{path}/playback",
            f"{path}/recordings",
            f"{path}/manifest.m3u8",
            f"{path}/stage",
        ):
            answer = await call(ada.http, "GET", f"{ada.url}/api/v1{each}", token=reader)
            assert answer.status in (401, 403, 404), each
            answer.refused(answer.status)
    assert (await bob.api("GET", path, token=token)).status == 200
    async with page(ada.url) as guest, page(ada.url, {"playback_token": token}) as friend:
        assert (await guest.refused("join", {"stream_id": stream_id}))["status"] in (401, 403, 404)
        assert (await friend.call("join", {"stream_id": stream_id}))["ok"] is True
    async with live(ada, stream):
        sdp, whep = await offer("recvonly"), made.json["whep_url"]
        for shown in (None, "wrong", bob.token):
            answer = await call(ada.http, "POST", whep, token=shown, data=sdp, headers=SDP)
            assert answer.status in (401, 403)
            answer.refused(answer.status)
        created = await call(ada.http, "POST", whep, token=token, data=sdp, headers=SDP)
        assert created.status == 201
        session = ada.url + created.headers["Location"]
        trickle = await call(ada.http, "PATCH", session, data="a=end-of-candidates\r\n", headers=FRAGMENT)
        trickle.refused(428)
        assert (await call(ada.http, "DELETE", session)).status == 200
    other = await bob.stream(visibility="private")
    refused = await bob.api("GET", f"/streams/{other['stream_id']}", token=token)
    assert refused.status in (401, 403, 404)


async def test_a_stage_of_two(ada: User, http: aiohttp.ClientSession) -> None:
    from tests.interop.stage_host import Host

    stream = await ada.stream()
    path = f"/streams/{stream['stream_id']}"
    invited = await ada.api("POST", f"{path}/invites", {"name": "Cy"})
    assert invited.status == 201
    assert invited.json.keys() >= {"invite", "studio_url", "whip_url"}
    async with page(ada.url, {"token": ada.token}) as owner, page(ada.url) as guest:
        assert (await owner.call("join", {"stream_id": stream["stream_id"]}))["ok"] is True
        entered = await owner.call("stage:enter", {})
        assert entered["ok"] is True, entered
        assert entered.keys() >= {"participant_id", "ice_servers", "stage"}
        second = await guest.call("stage:enter", {"invite": invited.json["invite"], "name": "Cy"})
        assert second["ok"] is True, second
        ids = {entered["participant_id"], second["participant_id"]}
        told = await owner.until("stage", lambda data: len(data["participants"]) == 2)
        assert told.keys() >= {"participants", "layout"}
        stage = await ada.api("GET", f"{path}/stage")
        assert {each["participant_id"] for each in stage.json["participants"]} == ids
        for each in stage.json["participants"]:
            assert each.keys() >= {"participant_id", "name", "role", "audio", "video", "tracks", "speaking"}
            assert each["audio"].keys() >= {"muted", "gain_db"}
        host = Host(_ByEvents(owner), 400)  # type: ignore[arg-type]
        other = Host(_ByEvents(guest), 700)  # type: ignore[arg-type]
        try:
            await host.publish()
            await ada.until(stream["stream_id"], "live")
            await guest.until("stage", lambda data: any(len(p["tracks"]) == 2 for p in data["participants"]))
            await other.subscribe(1, 1)
            async with asyncio.timeout(WITHIN_S):
                while not other.seen:  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
            muted = await ada.api("PATCH", f"{path}/stage/{second['participant_id']}", {"muted": True})
            assert muted.json["audio"]["muted"] is True
            for layout in ("grid", "spotlight", "side-by-side", "picture-in-picture"):
                put = await ada.api("PUT", f"{path}/layout", {"layout": layout})
                assert put.status == 200, put.text
            tile = {"participant_id": entered["participant_id"], "x": 0, "y": 0, "w": 1, "h": 1}
            custom = {
                "layout": "custom",
                "tiles": [tile],
                "background": "#102030",
                "lower_third": {"text": "Ada"},
            }
            assert (await ada.api("PUT", f"{path}/layout", custom)).status == 200
            (await ada.api("PUT", f"{path}/layout", {"layout": "circle"})).refused(422)
            assert (await ada.api("DELETE", f"{path}/stage/{second['participant_id']}")).status == 204
            await guest.until("notice")
            assert (await owner.call("unpublish"))["ok"] is True
            await ada.until(stream["stream_id"], "ended")
            assert (await owner.call("stage:leave"))["ok"] is True
        finally:
            await host.close()
            await other.close()
    gone = await ada.api("DELETE", f"{path}/invites/{invited.json['invite']}")
    assert gone.status in (204, 404)


class _ByEvents:
    """``StageHost``'s calls by Socket.IO."""

    def __init__(self, events: Page) -> None:
        self._events = events

    async def publish(self, sdp: str) -> str:
        answer = await self._events.call("publish", {"sdp": sdp})
        assert answer["ok"], answer
        text: str = answer["sdp"]
        assert RTCSessionDescription(text, "answer").sdp
        return text

    async def subscribe(self, sdp: str) -> tuple[str, dict[str, Any]]:
        answer = await self._events.call("subscribe", {"sdp": sdp})
        assert answer["ok"], answer
        for track in answer["tracks"].values():
            assert track.keys() >= {"participant_id", "kind", "source"}
        return answer["sdp"], answer["tracks"]
