"""``spillway demo`` as a process: its stream is live through the front door, and found again."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import aiohttp

from tests.interop.serve_process import Process, spillway


async def live_stream(node: Process, session: aiohttp.ClientSession) -> dict[str, Any]:
    """The first live stream that discover shows."""
    async with asyncio.timeout(30):
        while True:
            async with session.get(node.url + "/api/v1/streams/discover?category=demo") as answer:
                streams = (await answer.json())["streams"]
            if streams:
                found: dict[str, Any] = streams[0]
                return found
            await asyncio.sleep(0.05)


async def printed(node: Process) -> tuple[str, str, str]:
    """Watch URL, name and password."""
    assert node.child.stdout is not None
    async with asyncio.timeout(15):
        watch = (await node.child.stdout.readline()).decode()
        sign_in = (await node.child.stdout.readline()).decode()
    name, password = sign_in.removeprefix("Sign in:").strip().split(" / ")
    match = re.search(r"http://\S+", watch)
    assert match is not None
    return match.group(), name, password


async def test_the_demo_is_live_and_found_again(tmp_path: Path) -> None:
    async with aiohttp.ClientSession() as session:
        async with spillway(tmp_path, command="demo") as node:
            watch_url, name, password = await printed(node)
            stream = await live_stream(node, session)
            assert (stream["title"], stream["category"], stream["status"]) == ("Demo", "demo", "live")
            assert stream["watch_url"] == watch_url
            body = {"name": name, "password": password}
            async with session.post(node.url + "/api/v1/tokens", json=body) as answer:
                assert answer.status == 200
                headers = {"Authorization": f"Bearer {(await answer.json())['token']}"}
            path = f"{node.url}/api/v1/streams/{stream['stream_id']}"
            async with session.patch(path, json={"title": "Demo"}, headers=headers) as answer:
                assert answer.status == 200, "the sign-in is the owner's"
            async with session.get(node.url + "/metrics") as answer:
                metrics = await answer.text()
            assert "\nspillway_publishers 1.0\n" in metrics
            assert "\nspillway_streams_live 1.0\n" in metrics
            received = re.search(r"\nspillway_packets_received_total (\S+)", metrics)
            assert received is not None
            assert float(received.group(1)) > 0
            assert await node.stop() == 0
        assert "Traceback" not in node.errors
        assert password not in node.errors
        async with spillway(tmp_path, command="demo") as node:
            _, again, other_password = await printed(node)
            assert again == name == "demo"
            assert other_password != password
            found = await live_stream(node, session)
            assert found["stream_id"] == stream["stream_id"]
