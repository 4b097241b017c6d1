"""One, two, one hosts as an HLS player sees them: the same playlists go on, and so does their time line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aiohttp

from mixer.layout import Host, LayoutSpec, arrange
from tests.child import demo_publisher
from tests.interop.serve_process import spillway
from tests.interop.test_node_hls import Client, eventually
from tests.playlist_watch import PlaylistWatch

EPOCHS_OF_A_CHANGE = 2
"""A source that differs, and 6 s later its own H.264 in place of what was encoded of it."""


async def hosts_sending(client: Client, count: int) -> None:
    async def so_many() -> bool:
        _, stage = await client.call("GET", f"{client.path}/stage")
        hosts: list[dict[str, Any]] = stage["participants"]
        flowing = [len(each["tracks"]) == 2 and all(t["flowing"] for t in each["tracks"]) for each in hosts]
        return flowing == [True] * count

    await eventually(so_many)


async def test_the_programme_goes_on_over_a_change_of_hosts(tmp_path: Path) -> None:
    async with (
        spillway(tmp_path, "--program-height", "360") as node,
        aiohttp.ClientSession(node.url) as session,
    ):
        client = Client(node, session)
        await client.make_stream(record=False)
        watch = PlaylistWatch(session, client.path)
        watch.start()
        try:
            async with demo_publisher(client.stream["whip_url"], client.stream["stream_key"]):
                await hosts_sending(client, 1)
                await watch.until_segments(1)
                _, invite = await client.call("POST", f"{client.path}/invites", {}, owner=True)
                async with demo_publisher(client.stream["whip_url"], invite["invite"]):
                    await hosts_sending(client, 2)
                    await watch.until_segments(3)
                await hosts_sending(client, 1)
                await watch.until_segments(1)
        finally:
            await watch.close()
        found = watch.figures()
        assert found["contiguous"]
        assert found["monotonic"]
        assert int(str(found["discontinuities"])) <= 1 + 2 * EPOCHS_OF_A_CHANGE
        # one host's pictures and the mixed ones are in it, each with sound of their second
        tile = arrange([Host("a", "a"), Host("b", "b")], LayoutSpec(), (1280, 720)).tiles[0].rect
        for region in ((0, 0, 1, 1), (tile.x / 1280, tile.y / 720, tile.w / 1280, tile.h / 720)):
            assert watch.lip_sync_ms(region), region
    assert "Traceback" not in node.errors, node.errors
