"""The conformance suite passes on a whole node, and fails where a server does something else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from aiohttp import web

from tests.conformance.check import report
from tests.conformance.suite import Target, run_suite
from tests.interop.serve_process import spillway

ICE_SERVERS = (
    '[{"urls": ["stun:stun.example"]},'
    ' {"urls": ["turn:turn.example"], "username": "user", "credential": "secret"}]'
)


@asynccontextmanager
async def node(data_dir: Path) -> AsyncIterator[tuple[Target, Target]]:
    """A node with two streams that nobody publishes yet."""
    flags = ("--advertise-ip", "127.0.0.1", "--rate-limits", "off", "--ice-servers", ICE_SERVERS)
    async with spillway(data_dir, *flags) as process, aiohttp.ClientSession() as http:
        account = {"name": "Ada", "password": "correct horse"}
        async with http.post(f"{process.url}/api/v1/accounts", json=account) as answer:
            token = (await answer.json())["token"]
        stream = {"title": "Show", "category": "test", "record": False}
        headers = {"Authorization": f"Bearer {token}"}

        async def target() -> Target:
            async with http.post(f"{process.url}/api/v1/streams", json=stream, headers=headers) as answer:
                made = await answer.json()
            return Target(
                f"{process.url}/whip", made["stream_key"], f"{process.url}/whep/{made['stream_id']}"
            )

        yield await target(), await target()
        assert await process.stop() == 0
        assert "Traceback" not in process.errors


async def test_a_node_conforms(tmp_path: Path) -> None:
    async with node(tmp_path) as (one, other):
        # Each waits out the 30 s of consent.
        whip, whep = await asyncio.gather(
            run_suite(one, slow=True, only="whip/*"), run_suite(other, slow=True, only="whep/*")
        )
    results = whip + whep
    text = report(results)
    print(text)
    assert len(results) > 60
    assert [each.check.name for each in results if each.outcome == "FAIL"] == [], text
    # we announce no extensions, and take viewers without a token
    assert {each.check.name for each in results if each.outcome == "SKIP"} == {
        "whip/extensions-are-links",
        "whep/extensions-are-links",
    }


async def test_a_server_that_answers_anything_with_200_does_not() -> None:
    async def anything(_: web.Request) -> web.Response:
        return web.Response(text="fine")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", anything)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/whip"
        async with asyncio.timeout(60):
            results = await run_suite(Target(whip=url, whip_token="key"))
    finally:
        await runner.cleanup()
    assert {each.outcome for each in results} == {"FAIL"}, report(results)
