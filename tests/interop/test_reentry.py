"""A guest's page that loses its connection and comes back with what it was given, while it sends media."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aiohttp
import socketio
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from signaling.clock import SystemClock
from signaling.node import open_node
from signaling.settings import Settings
from tests.interop.stage_host import Colour, Tone
from tests.interop.test_node_hls import eventually
from tests.interop.test_program_images import Owner


class Guest:
    """One load of a guest's page: a Socket.IO connection, and a peer connection that publishes."""

    def __init__(self) -> None:
        self.client = socketio.AsyncClient(reconnection=False)
        self.pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.pc.addTrack(Tone(700))
        self.pc.addTrack(Colour((200, 128, 128)))

    async def call(self, event: str, data: object) -> dict[str, Any]:
        answer: dict[str, Any] = await self.client.call(event, data)
        assert answer["ok"], answer
        return answer

    async def enter(self, url: str, invite: str) -> dict[str, Any]:
        await self.client.connect(url, transports=["websocket"])
        return await self.call("stage:enter", {"invite": invite, "name": "Bob"})

    async def publish(self) -> None:
        await self.pc.setLocalDescription(await self.pc.createOffer())
        answer = await self.call("publish", {"sdp": self.pc.localDescription.sdp})
        await self.pc.setRemoteDescription(RTCSessionDescription(answer["sdp"], "answer"))

    async def close(self) -> None:
        await self.client.disconnect()
        await self.pc.close()


async def test_a_host_comes_back_as_who_it_was(tmp_path: Path) -> None:
    settings = Settings(
        host="127.0.0.1", http_port=0, rtc_port=0, data_dir=tmp_path, roles=["api", "gateway", "engine"]
    )
    pages = [Guest(), Guest(), Guest()]
    async with open_node(settings, SystemClock()) as node, aiohttp.ClientSession(node.url) as http:
        owner = Owner(http)
        await owner.open()

        async def tracks() -> dict[str, bool]:
            """Whether each flows, by id; of the only host."""
            [host] = (await owner.call("GET", f"{owner.path}/stage"))["participants"]
            assert host["name"] == "Bob"
            return {each["track_id"]: each["flowing"] for each in host["tracks"]}

        async def flows() -> bool:
            found = await tracks()
            return len(found) == 2 and all(found.values())

        try:
            invite = (await owner.call("POST", f"{owner.path}/invites", json={}))["invite"]
            first = await pages[0].enter(node.url, invite)
            await pages[0].publish()
            await eventually(flows)
            before = await tracks()

            # The socket alone breaks: media never stops, the same tracks are theirs again.
            await pages[0].client.disconnect()
            again = await pages[1].enter(node.url, first["reentry"])
            assert again["participant_id"] == first["participant_id"]
            assert await tracks() == before

            # The page is loaded anew: new tracks in place of the old ones, of the same host.
            await pages[1].client.disconnect()
            third = await pages[2].enter(node.url, first["reentry"])
            assert third["participant_id"] == first["participant_id"]
            await pages[2].publish()
            await eventually(flows)
            assert not (await tracks()).keys() & before.keys()
        finally:
            for page in pages:
                await page.close()
