"""An origin of its own: a second process that carries no stream plays what the first one records."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp
import pytest

from hls_bridge.segment_store import S3Store
from tests.interop.playlist_history import entries
from tests.interop.serve_process import run_to_end, spillway
from tests.interop.test_node_hls import Client, ended, publisher, some_decoded, uris
from tests.postgres import Unavailable, postgres_server
from tests.redis_server import redis_server
from tests.s3proxy import s3_server

CREDENTIALS = "AWS_ACCESS_KEY_ID=x", "AWS_SECRET_ACCESS_KEY=x", "AWS_DEFAULT_REGION=us-east-1"


async def test_it_plays_what_another_node_records(tmp_path: Path) -> None:
    try:
        with postgres_server() as database, redis_server(tmp_path) as redis, s3_server(tmp_path) as s3:
            keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x", "region_name": "us-east-1"}
            S3Store.connect(s3, "segments", **keys)._client.create_bucket(Bucket="segments")
            shared = ("--database-url", database, "--redis-url", redis, "--s3-url", s3)
            await plays(tmp_path, (*shared, "--s3-bucket", "segments"))
    except Unavailable as error:
        pytest.fail(str(error))


async def plays(folder: Path, shared: tuple[str, ...]) -> None:
    prefix = ("env", *CREDENTIALS)
    async with (
        spillway(folder / "a", *shared, prefix=prefix) as node,
        spillway(folder / "b", *shared, "--roles", "origin", prefix=prefix) as other,
        aiohttp.ClientSession() as session,
    ):
        client = Client(node, session)
        await client.make_stream()
        there = Client(other, session, stream=client.stream)
        async with publisher(client):
            top = uris(await client.master())[0]
            await client.media(top, lambda text: text.count("#EXTINF") >= 2)
            best = uris(await there.master())[0]
            assert best.endswith("/dvr/best.m3u8")
            first = await there.media(best, lambda text: text.count("#EXTINF") >= 2)
            newest = entries(first)[-1].msn
            status, text = await there.call("GET", f"{best}?_HLS_msn={newest + 1}")
            assert (status, entries(text)[-1].msn) == (200, newest + 1)
            assert "#EXT-X-ENDLIST" not in text
            manifest = f"{other.url}{client.path}/manifest.m3u8"
            assert await asyncio.to_thread(some_decoded, manifest, 60) == 60
            metrics = (await there.call("GET", "/metrics"))[1]
            assert "spillway_segment_read_seconds_count" in metrics
        await ended(client)
        await there.media(best, lambda text: "#EXT-X-ENDLIST" in text)
        await node.stop()
        assert await asyncio.to_thread(some_decoded, manifest, 60) == 60, "the other node has gone"
    assert "Traceback" not in node.errors + other.errors, node.errors + other.errors
    assert f"{folder / 'b' / 'secret'} is missing, so nobody can watch private streams" in other.errors


async def test_alone_it_needs_what_nodes_share(tmp_path: Path) -> None:
    command = ("serve", "--host", "127.0.0.1", "--http-port", "0", "--data-dir", str(tmp_path))
    code, _, errors = await run_to_end(*command, "--roles", "origin")
    assert code == 2
    assert "roles: an origin without engine and bridge needs database_url and redis_url and s3_url" in errors
