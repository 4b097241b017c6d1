"""A whole node as a process: accounts, keys and tokens in front of real media."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import socketio

from tests.interop.aiortc_peer import Publisher, Viewer
from tests.interop.serve_process import Process, spillway
from tests.unit.sfu.offers import offer

SDP = {"Content-Type": "application/sdp"}


@dataclass
class Broadcast:
    """A node and a stream on it, with the calls that aiortc's peers need."""

    node: Process
    http: aiohttp.ClientSession
    account_token: str
    stream: dict[str, Any]

    async def post(self, path: str, sdp: str, key: str | None = None) -> tuple[str, str]:
        """WHIP or WHEP; returns the answer and the session's URL."""
        headers = SDP | ({"Authorization": f"Bearer {key}"} if key else {})
        async with self.http.post(self.node.url + path, data=sdp, headers=headers) as response:
            text = await response.text()
            assert response.status == 201, text
            return text, self.node.url + response.headers["Location"]

    async def refusal(self, path: str, token: str | None = None, sdp: str | bytes = b"") -> tuple[int, str]:
        """Status and problem name of a POST that is refused."""
        headers = SDP | ({"Authorization": f"Bearer {token}"} if token else {})
        body = sdp or offer("chromium-watch" if path.startswith("/whep") else "chromium-publish")
        async with self.http.post(self.node.url + path, data=body, headers=headers) as response:
            assert response.content_type == "application/problem+json", await response.text()
            assert response.headers["Access-Control-Allow-Origin"] == "*"
            problem = await response.json()
            return response.status, problem["type"].removeprefix("/problems/")

    async def api(self, method: str, suffix: str = "", body: object = None) -> Any:
        url = f"{self.node.url}/api/v1/streams/{self.stream['stream_id']}{suffix}"
        headers = {"Authorization": f"Bearer {self.account_token}"}
        async with self.http.request(method, url, json=body, headers=headers) as response:
            assert response.status < 300, await response.text()
            return await response.json() if response.status != 204 else None

    async def until_status(self, status: str) -> dict[str, Any]:
        async with asyncio.timeout(30):
            while True:
                stream: dict[str, Any] = await self.api("GET")
                if stream["status"] == status:
                    return stream
                await asyncio.sleep(0.05)


@pytest.fixture
async def broadcast(tmp_path: Path) -> AsyncIterator[Broadcast]:
    flags = ("--seats-per-stream", "1", "--access-log", "on", "--advertise-ip", "127.0.0.1")
    async with spillway(tmp_path, *flags) as node, aiohttp.ClientSession() as http:
        async with http.post(
            node.url + "/api/v1/accounts", json={"name": "Ada", "password": "correct horse"}
        ) as answer:
            token = (await answer.json())["token"]
        headers = {"Authorization": f"Bearer {token}"}
        body = {"title": "Night", "category": "music", "visibility": "private"}
        async with http.post(node.url + "/api/v1/streams", json=body, headers=headers) as answer:
            stream = await answer.json()
        yield Broadcast(node, http, token, stream)


async def test_a_whole_broadcast_leaves_no_secret_in_the_log(broadcast: Broadcast) -> None:
    node, stream = broadcast.node, broadcast.stream
    stream_id, key = stream["stream_id"], stream["stream_key"]
    assert stream["whip_url"] == f"{node.url}/whip"
    assert stream["whep_url"] == f"{node.url}/whep/{stream_id}"
    playback_token = (await broadcast.api("POST", "/playback-tokens", {"ttl_s": 600}))["token"]

    # Nobody publishes yet.
    assert await broadcast.refusal(f"/whep/{stream_id}") == (401, "unauthorized")
    assert await broadcast.refusal(f"/whep/{stream_id}", playback_token + "x") == (401, "unauthorized")
    assert await broadcast.refusal(f"/whep/{stream_id}", playback_token) == (409, "stream-not-live")
    assert await broadcast.refusal("/whep/nothing", playback_token) == (404, "stream-not-found")
    assert await broadcast.refusal("/whip") == (401, "unauthorized")
    assert await broadcast.refusal("/whip", "sk_wrong") == (401, "wrong-key")
    assert await broadcast.refusal("/whip/sk_wrong") == (401, "wrong-key")
    assert await broadcast.refusal("/whip", key, b"v=0\r\nnonsense") == (400, "bad-sdp")
    assert await broadcast.refusal("/whip", key, b"x" * 300_000) == (413, "body-too-large")

    page = socketio.AsyncClient(reconnection=False)
    told: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()

    async def note(event: str, data: Any) -> None:
        told.put_nowait((event, data))

    page.on("*", note)
    await page.connect(node.url, auth={"playback_token": playback_token}, transports=["websocket"])
    joined = await page.call("join", {"stream_id": stream_id})
    assert joined["playback"]["mode"] == "offline"

    publisher, viewer = Publisher(), Viewer()
    try:
        await publisher.start(broadcast, f"{key}")  # type: ignore[arg-type]
        await broadcast.until_status("live")
        assert (await broadcast.api("GET", "/playback"))["reason"] == "seat"
        viewer.pc.addTransceiver("audio", direction="recvonly")
        viewer.pc.addTransceiver("video", direction="recvonly")
        await viewer.pc.setLocalDescription(await viewer.pc.createOffer())
        sdp, session_url = await broadcast.post(
            f"/whep/{stream_id}", viewer.pc.localDescription.sdp, playback_token
        )
        await viewer.pc.setRemoteDescription(type(viewer.pc.localDescription)(sdp, "answer"))
        async with asyncio.timeout(30):
            assert len(await viewer.frames("video", 5)) == 5
        async with broadcast.http.put(session_url + "/encoding", json={"rid": "x"}) as answer:
            assert (await answer.json())["type"] == "/problems/unknown-encoding"
        # The one seat is taken.
        assert await broadcast.refusal(f"/whep/{stream_id}", playback_token) == (503, "no-seat")
        assert (await broadcast.api("GET", "/playback"))["reason"] == "full"
        async with asyncio.timeout(30):
            names = set()
            while names < {"stream", "playback", "viewers"}:
                name, data = await told.get()
                names |= {name} if name != "viewers" or data["webrtc"] == 1 else set()
        async with broadcast.http.get(node.url + "/metrics") as answer:
            metrics = await answer.text()
        assert "\nspillway_seats 1.0\n" in metrics
        assert "\nspillway_joins_total 1.0\n" in metrics
        assert float(re.findall(r"\nspillway_packets_sent_total (\S+)", metrics)[0]) > 0
        assert float(re.findall(r"\nspillway_forward_latency_seconds_count (\S+)", metrics)[0]) > 0

        # The old key dies at once, and what was published with it.
        rotated = (await broadcast.api("POST", "/key"))["stream_key"]
        assert await broadcast.refusal("/whip", key) == (401, "wrong-key")
        async with broadcast.http.get(node.url + "/metrics") as answer:
            assert "\nspillway_publishers 0.0\n" in await answer.text()
        async with broadcast.http.delete(session_url) as answer:
            assert answer.status == 200
        await broadcast.until_status("ended")
    finally:
        await publisher.close()
        await viewer.close()
        await page.disconnect()
    assert await node.stop() == 0
    assert "Traceback" not in node.errors
    assert "POST /whip/*** 401" in node.errors, "the access log was on"
    session_id = session_url.rsplit("/", 1)[1]
    credentials = re.findall(r"a=ice-(?:ufrag|pwd):(\S+)", sdp)
    assert len(credentials) >= 2
    for secret in (
        "correct horse",
        broadcast.account_token,
        playback_token,
        key,
        rotated,
        "sk_wrong",
        session_id,
        *credentials,
        "127.0.0.1",
    ):
        assert secret not in node.errors
        assert secret not in "\n".join(node.lines)
