"""TURN by configuration: what the settings name reaches the client, and media goes through the relay."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import aiohttp
import pytest
from aiortc import (
    RTCConfiguration,
    RTCIceServer,
    RTCIceTransportPolicy,
    RTCPeerConnection,
    RTCSessionDescription,
)

from tests.conformance.endpoint import Endpoint
from tests.conformance.peer import Peer
from tests.conformance.publisher import publishing
from tests.conformance.suite import wait_until_live
from tests.interop.serve_process import spillway
from tests.interop.turn_server import installed, turn_server

pytestmark = pytest.mark.skipif(not installed(), reason="coturn (Debian: coturn) is not installed")

LINK = re.compile(r'<([^>]+)>; rel="ice-server"; username="([^"]+)"; credential="([^"]+)"')


async def test_a_viewer_that_only_relays_sees_the_stream(tmp_path: Path) -> None:
    async with turn_server(tmp_path) as turn, aiohttp.ClientSession() as http:
        configured = [{"urls": [turn.url], "username": turn.username, "credential": turn.credential}]
        flags = ("--advertise-ip", "127.0.0.1", "--ice-servers", json.dumps(configured))
        async with spillway(tmp_path / "data", *flags) as node:
            account = {"name": "Ada", "password": "correct horse"}
            async with http.post(f"{node.url}/api/v1/accounts", json=account) as answer:
                headers = {"Authorization": f"Bearer {(await answer.json())['token']}"}
            body = {"title": "Show", "category": "test", "record": False}
            async with http.post(f"{node.url}/api/v1/streams", json=body, headers=headers) as answer:
                stream = await answer.json()
            whip = Endpoint(http, f"{node.url}/whip", stream["stream_key"], "whip")
            whep = Endpoint(http, f"{node.url}/whep/{stream['stream_id']}", None, "whep")
            async with publishing(whip):
                await wait_until_live(whep)
                url, username, credential = await told(whep)
                assert (url, username, credential) == (turn.url, turn.username, turn.credential)
                before = turn.allocations()
                server = RTCIceServer(url, username, credential)
                policy = RTCIceTransportPolicy.RELAY
                viewer = RTCPeerConnection(RTCConfiguration([server], iceTransportPolicy=policy))
                try:
                    assert await watch(http, viewer, whep.url) > 0
                    pairs = [
                        pair.local_candidate.type
                        for pair in viewer.getTransceivers()[
                            0
                        ].receiver.transport.transport._connection._nominated.values()
                    ]
                    assert pairs == ["relay"]
                    assert turn.allocations() > before
                finally:
                    await viewer.close()
            assert turn.credential not in node.errors


async def told(whep: Endpoint) -> tuple[str, ...]:
    """URL, user name and credential of the Link header."""
    created = await whep.open(Peer())
    await whep.end_sessions()
    match = LINK.match(created.reply.headers["Link"])
    assert match is not None
    return match.groups()


async def watch(http: aiohttp.ClientSession, viewer: RTCPeerConnection, url: str) -> int:
    """Packets that came, once some have."""
    tracks = []
    viewer.on("track", tracks.append)
    for kind in ("audio", "video"):
        viewer.addTransceiver(kind, direction="recvonly")
    await viewer.setLocalDescription(await viewer.createOffer())
    offer = viewer.localDescription.sdp
    assert "typ relay" in offer
    assert "typ host" not in offer
    async with http.post(url, data=offer, headers={"Content-Type": "application/sdp"}) as response:
        assert response.status == 201
        await viewer.setRemoteDescription(RTCSessionDescription(await response.text(), "answer"))
    async with asyncio.timeout(20):
        video = next(track for track in tracks if track.kind == "video")
        frame = await video.recv()
    return int(frame.width)
